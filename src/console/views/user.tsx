import type { Activity } from "../../activities/activity.ts";
import type { File } from "../../files/file.ts";
import type { Import } from "../../imports/import.ts";
import type { UserWithSources } from "../../users/user.ts";
import type { Api, Page } from "../api.ts";
import { dayOf, monthOf } from "../days.ts";
import { counted, number } from "../format.ts";
import { useList, useLoad } from "../load.ts";
import { ActivityTable } from "../parts/activityTable.tsx";
import { Calendar, dayOfActivity } from "../parts/calendar.tsx";
import { Confirmed } from "../parts/confirmed.tsx";
import { CopyButton } from "../parts/copy.tsx";
import { List, Table } from "../parts/list.tsx";
import { Empty, Heading, Loading, ProblemBox, Status } from "../parts/page.tsx";
import { Skeleton } from "../parts/skeleton.tsx";
import { Training } from "../parts/training.tsx";
import { When } from "../parts/when.tsx";
import { addressOf, go, type Place } from "../router.ts";
import { withQuery } from "../withQuery.ts";
import { FileTable } from "./files.tsx";

const EVERY_MS = 5_000;
/** Number of newest failures and imports on the page. */
const SHOWN = "5";
/** Maximum number of activities of a month on the page, and of files. */
const OF_MONTH = 200;
/** Lines in place of the calendar and the first activities, so that the training below does not move down. */
const MONTH_LINES = 24;
/** A local day may begin this much before or after the day in UTC. */
const OFFSET_SECONDS = 14 * 3_600;

export function UserView({ api, place, id }: { api: Api; place: Place; id: string }) {
  const path = `/api/users/${encodeURIComponent(id)}/`;
  const user = useLoad<UserWithSources>(api, path, EVERY_MS);
  const newest = useLoad<Page<Activity>>(api, withQuery("/api/activities/", { user_id: id, limit: "1" }));
  const { value } = user;
  if (value === null) {
    return (
      <>
        <Heading title={id} kind="User" />
        {user.problem === null ? <Loading /> : <ProblemBox problem={user.problem} onRetry={user.reload} />}
      </>
    );
  }
  const [latest] = newest.value?.data ?? [];
  const {
    month = (latest === undefined ? null : dayOfActivity(latest))?.slice(0, 7) ??
      dayOf(new Date()).slice(0, 7),
  } = place.query;
  return (
    <>
      <Heading title={id} kind="User">
        <CopyButton text={id} what="user id" />
        <span class="soft">
          Last ping <When at={value.last_ping_at} /> · first ping <When at={value.created_at} />
        </span>
      </Heading>
      <ProblemBox problem={user.problem} onRetry={user.reload} />
      {value.running_import_ids.map((importId) => (
        <p key={importId} class="note">
          <a href={addressOf(["imports", importId])}>An import</a> of this user is running.
        </p>
      ))}
      <Sources user={value} />
      {newest.value === null ? (
        <Skeleton lines={MONTH_LINES} />
      ) : (
        <Activities api={api} id={id} month={month} day={place.query["day"] ?? ""} />
      )}
      <Training api={api} path={path} />
      <Failures api={api} id={id} />
      <Imports api={api} id={id} />
      <Confirmed
        button="Delete the user…"
        question={`Delete ${id} with all files, activities, imports and events? This cannot be undone.`}
        confirm="Delete the user"
        keep="Keep the user"
        send={async () => api.delete(path)}
        onDone={(isDone) => {
          if (isDone) go(["users"]);
        }}
      />
    </>
  );
}

function Sources({ user: { user_id, sources, capped } }: { user: UserWithSources }) {
  return (
    <section>
      <h2>Sources</h2>
      {sources.length === 0 && <Empty>No files of this user are stored.</Empty>}
      {sources.length > 0 && (
        <Table
          label="Sources"
          head={[
            "Source",
            ["Activities", "number"],
            ["Imported", "number"],
            ["Failed", "number"],
            ["Queued", "number"],
            ["Held", "number"],
            ["Skipped", "number"],
            "Last ping",
          ]}
        >
          {sources.map(({ source, files, activities, last_ping_at }) => {
            const of = (status: "imported" | "failed" | "queued" | "held" | "skipped") => (
              <td key={status} class={`number ${files[status] === 0 ? "soft" : ""}`}>
                {files[status] === 0 ? (
                  0
                ) : (
                  <a href={addressOf(["files"], { user_id, source, status })}>{number(files[status])}</a>
                )}
              </td>
            );
            return (
              <tr key={source}>
                <td class="main">
                  <a class="name" href={addressOf(["files"], { user_id, source })}>
                    {source}
                  </a>
                </td>
                <td class="number">
                  <a href={addressOf(["activities"], { user_id, source })}>{number(activities)}</a>
                </td>
                {of("imported")}
                {of("failed")}
                {of("queued")}
                {of("held")}
                {of("skipped")}
                <td>
                  <When at={last_ping_at} isStill />
                </td>
              </tr>
            );
          })}
        </Table>
      )}
      {capped && <p class="soft">This user has very many files. Not all of them are counted.</p>}
    </section>
  );
}

/** The month as a calendar of activities and files, and its activities, or those of the selected day. */
function Activities({ api, id, month, day }: { api: Api; id: string; month: string; day: string }) {
  const { title, days } = monthOf(month);
  const [first = ""] = days;
  const start = Date.parse(`${first}T00:00:00Z`) / 1_000;
  const list = useList<Activity>(
    api,
    withQuery("/api/activities/", {
      user_id: id,
      start_after: String(Math.max(0, start - OFFSET_SECONDS)),
      start_before: String(start + days.length * 86_400 + OFFSET_SECONDS),
      limit: String(OF_MONTH),
    }),
  );
  const files = useLoad<Page<File>>(
    api,
    withQuery("/api/files/", {
      user_id: id,
      received_after: new Date(start * 1_000).toISOString(),
      received_before: new Date((start + days.length * 86_400) * 1_000).toISOString(),
      limit: String(OF_MONTH),
    }),
    EVERY_MS,
  );
  const rows = list.rows?.filter((row) => dayOfActivity(row)?.slice(0, 7) === month) ?? null;
  const shown = rows?.filter((row) => day === "" || dayOfActivity(row) === day) ?? [];
  return (
    <section>
      <h2>Activities and files</h2>
      <Calendar
        userId={id}
        month={month}
        selected={day}
        activities={rows ?? []}
        files={files.value?.data ?? []}
      />
      <ProblemBox problem={files.problem} onRetry={files.reload} />
      <p class="soft">
        Activities by their local day, files by the UTC day on which we received them.
        {files.value?.next_cursor != null && ` Only the newest ${OF_MONTH} files of the month are counted.`}
      </p>
      <List list={{ ...list, rows: rows === null ? null : shown }} empty={`No activities in ${title}.`}>
        {() => (
          <ActivityTable
            label={day === "" ? `Activities in ${title}` : `Activities of ${day}`}
            activities={shown}
            isOfUser
          />
        )}
      </List>
      <p>
        <a href={addressOf(["activities"], { user_id: id })}>All activities of this user</a>
      </p>
    </section>
  );
}

function Failures({ api, id }: { api: Api; id: string }) {
  const query = { user_id: id, status: "failed" };
  const list = useLoad<Page<File>>(api, withQuery("/api/files/", { ...query, limit: SHOWN }), EVERY_MS);
  const rows = list.value?.data;
  return (
    <section>
      <h2>Failed files</h2>
      <ProblemBox problem={list.problem} onRetry={list.reload} />
      {rows === undefined ? (
        list.problem === null && <Skeleton lines={3} />
      ) : rows.length === 0 ? (
        <Empty>No file of this user has failed.</Empty>
      ) : (
        <>
          <FileTable label="Failed files" files={rows} isOfUser />
          <p>
            <a href={addressOf(["files"], query)}>All failed files of this user</a>
          </p>
        </>
      )}
    </section>
  );
}

function Imports({ api, id }: { api: Api; id: string }) {
  const list = useLoad<Page<Import>>(
    api,
    withQuery("/api/imports/", { user_id: id, limit: SHOWN }),
    EVERY_MS,
  );
  const rows = list.value?.data;
  return (
    <section>
      <h2>Imports</h2>
      <ProblemBox problem={list.problem} onRetry={list.reload} />
      {rows === undefined ? (
        list.problem === null && <Skeleton lines={3} />
      ) : rows.length === 0 ? (
        <Empty>No imports yet. Each task starts one.</Empty>
      ) : (
        <>
          <Table label="Imports" head={["Requested", "Status", "Source", ["Files", "number"]]}>
            {rows.map((row) => (
              <tr key={row.import_id}>
                <td class="main">
                  <a href={addressOf(["imports", row.import_id])}>
                    <When at={row.requested_at} isStill />
                  </a>
                </td>
                <td>
                  <Status status={row.status} />
                </td>
                <td>{row.source}</td>
                <td class="number">{counted(row.files.total, "file")}</td>
              </tr>
            ))}
          </Table>
          <p>
            <a href={addressOf(["imports"], { user_id: id })}>All imports of this user</a>
          </p>
        </>
      )}
    </section>
  );
}
