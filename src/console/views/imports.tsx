import { useEffect } from "preact/hooks";
import { deliveryIdOfEvent } from "../../deliveries/ids.ts";
import type { File } from "../../files/file.ts";
import type { Import } from "../../imports/import.ts";
import type { Api } from "../api.ts";
import { withQuery } from "../withQuery.ts";
import { counted, number, titled, localTime, NONE } from "../format.ts";
import { useList, useLoad } from "../load.ts";
import { FilterField, List, Table } from "../parts/list.tsx";
import { Action, Empty, Facts, Heading, Loading, ProblemBox, Status } from "../parts/page.tsx";
import { addressOf, go, type Place } from "../router.ts";
import { Advice, canRetry } from "../parts/advice.tsx";
import { Progress } from "../parts/progress.tsx";

const EVERY_MS = 2_000;
/** Maximum number of missing files that the page lists. */
const MISSING_SHOWN = 200;

export function ImportsView({ api, place }: { api: Api; place: Place }) {
  const { user_id = "", status = "" } = place.query;
  const list = useList<Import>(api, withQuery("/api/imports/", { user_id, status }), EVERY_MS);
  const narrow = (change: Record<string, string>) => go(["imports"], { ...place.query, ...change });
  return (
    <>
      <Heading title="Imports" />
      <div class="filters">
        <FilterField label="User" value={user_id} onValue={(value) => narrow({ user_id: value })} />
        <FilterField
          label="Status"
          value={status}
          options={["running", "completed", "completed_with_failures", "cancelled"]}
          onValue={(value) => narrow({ status: value })}
        />
      </div>
      <List
        list={list}
        empty={
          user_id + status === ""
            ? "No imports yet. Each task starts one."
            : "No imports match these filters."
        }
      >
        {(rows) => (
          <Table
            label="Imports"
            head={["Requested", "Status", "User", "Source", "Progress", ["Failed", "number"]]}
          >
            {rows.map((row) => (
              <tr key={row.import_id}>
                <td>
                  <a href={addressOf(["imports", row.import_id])}>{localTime(row.requested_at)}</a>
                </td>
                <td>
                  <Status status={row.status} />
                </td>
                <td>{row.user_id}</td>
                <td>{row.source}</td>
                <td>
                  <Progress progressOf={row} />
                </td>
                <td class="number">{number(row.files.failed)}</td>
              </tr>
            ))}
          </Table>
        )}
      </List>
    </>
  );
}

export function ImportView({ api, id }: { api: Api; id: string }) {
  const path = `/api/imports/${encodeURIComponent(id)}/`;
  const { value, problem, reload } = useLoad<Import>(api, path, EVERY_MS, (found) => found.files.pending > 0);
  const ended = value !== null && value.files.pending === 0;
  const failed = useList<File>(
    api,
    withQuery("/api/files/", { import_id: id, status: "failed" }),
    EVERY_MS,
    () => !ended,
  );
  // Reads the failed files once more at the end: the list may lack the last failure.
  useEffect(() => {
    if (ended) void failed.reload();
  }, [ended]);
  const missing = value?.missing_summary_ids;
  return (
    <>
      <Heading title="Import" />
      <ProblemBox problem={problem} />
      {value === null ? (
        problem === null && <Loading />
      ) : (
        <>
          <div class="lead">
            <Status status={value.status} />
            <Progress progressOf={value} />
            {value.status === "running" && (
              <Action api={api} path={`${path}cancel/`} done="Cancelled." onDone={reload}>
                Cancel import
              </Action>
            )}
          </div>
          <Facts
            facts={[
              ["User", value.user_id],
              ["Source", value.source],
              ...countFacts(value),
              ["Requested", localTime(value.requested_at)],
              ["Completed", localTime(value.completed_at)],
              ["Initial import", value.is_initial_import ? "yes" : "no"],
              [
                "Training plan",
                value.training_plan === null ? NONE : <Status status={value.training_plan.status} />,
              ],
              [
                "Event",
                value.event === null ? (
                  NONE
                ) : (
                  <a href={addressOf(["events", deliveryIdOfEvent(value.import_id)])}>
                    {value.event.status}, {counted(value.event.attempts, "attempt")}
                  </a>
                ),
              ],
              ["Import id", <code key="id">{value.import_id}</code>],
            ]}
          />
          {value.warnings.map((warning) => (
            <p key={warning} class="note">
              {warning === "nothing_held" ? <NothingHeld row={value} /> : warning}
            </p>
          ))}
          {missing === undefined || missing.length === 0 ? null : (
            <section>
              <h2>Missing files</h2>
              <p class="soft">
                The task expected {counted(missing.length, "file")} that no ping announced. Ping{" "}
                {missing.length === 1 ? "it" : "them"}, then send the task again.
              </p>
              <ul class="ids">
                {missing.slice(0, MISSING_SHOWN).map((name) => (
                  <li key={name}>
                    <code>{name}</code>
                  </li>
                ))}
              </ul>
              {missing.length > MISSING_SHOWN && (
                <p class="soft">And {number(missing.length - MISSING_SHOWN)} more.</p>
              )}
            </section>
          )}
          <section>
            <h2>Failures</h2>
            {failed.rows?.some(canRetry) && (
              <Action
                api={api}
                path={`${path}retry/`}
                done="Queued again."
                onDone={async () => {
                  await Promise.all([reload(), failed.reload()]);
                }}
              >
                Retry failed files
              </Action>
            )}
            {failed.rows?.length === 0 ? (
              <Empty>
                {value.files.failed === 0
                  ? "No files failed."
                  : "The failed files were retried or pinged again. Reload the page to see whether they failed again."}
              </Empty>
            ) : (
              <List list={failed} empty="No files failed.">
                {(rows) => (
                  <Table label="Failed files" head={["File", "Error", "What to do"]}>
                    {rows.map((file) => (
                      <tr key={file.file_id}>
                        <td>
                          <a href={addressOf(["files", file.file_id])}>{file.summary_id}</a>
                        </td>
                        <td class="wide">
                          <code>{file.error?.code}</code> {file.error?.detail}
                        </td>
                        <td class="wide">
                          <Advice file={file} />
                        </td>
                      </tr>
                    ))}
                  </Table>
                )}
              </List>
            )}
          </section>
        </>
      )}
    </>
  );
}

function NothingHeld({ row: { source, held_under_other_source: others } }: { row: Import }) {
  const found =
    others == null
      ? "The user's other sources could not be checked."
      : others.length === 0
        ? "No other source of the user had held files either."
        : `The user had held files under ${others.join(", ")}. If one of these is right, send the task again with it.`;
  return (
    <>
      No file was held for this user under <code>{source}</code>, so the import has no files. {found}
    </>
  );
}

function countFacts({
  files: { total: _total, pending, ...outcomes },
}: Import): [name: string, value: string][] {
  return Object.entries({ ...outcomes, pending }).map(([name, files]) => [titled(name), number(files)]);
}
