import { deliveryIdOfEvent } from "../../deliveries/ids.ts";
import type { Import } from "../../imports/import.ts";
import type { Api } from "../api.ts";
import { withQuery } from "../withQuery.ts";
import { counted, number, titled, localTime, NONE } from "../format.ts";
import { useList, useLoad } from "../load.ts";
import { FilterField, List, Table } from "../parts/list.tsx";
import { Facts, Heading, Loading, ProblemBox, Status } from "../parts/page.tsx";
import { addressOf, go, type Place } from "../router.ts";
import { Confirmed } from "../parts/confirmed.tsx";
import { DownloadReport } from "../parts/downloadReport.tsx";
import { ImportFiles } from "../parts/importFiles.tsx";
import { ImportWarnings } from "../parts/importWarnings.tsx";
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
                  {row.files.total === 0 ? (
                    <span class="soft">No file was held</span>
                  ) : (
                    <Progress progressOf={row} />
                  )}
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
  const { value, problem, reload } = useLoad<Import>(
    api,
    path,
    EVERY_MS,
    (found) => found.completed_at === null,
  );
  if (value === null) {
    return (
      <>
        <Heading title="Import" />
        {problem === null ? <Loading /> : <ProblemBox problem={problem} />}
      </>
    );
  }
  const files = { api, path, row: value, everyMs: EVERY_MS, onRetry: reload };
  return (
    <>
      <Heading title="Import">
        <DownloadReport api={api} path={path} name={id} />
      </Heading>
      <ProblemBox problem={problem} />
      <div class="lead">
        <Status status={value.status} />
        <Progress progressOf={value} />
        <Confirmed
          button="Cancel…"
          question="Skip all files that are not imported yet?"
          confirm="Cancel the import"
          keep="Continue importing"
          isOffered={value.status === "running"}
          send={async () => api.post(`${path}cancel/`)}
          onDone={reload}
        />
      </div>
      {value.status === "cancelled" && value.completed_at === null && (
        <p class="note">
          The import is cancelled. Files that were being imported are finished first. Then the import
          completes.
        </p>
      )}
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
      <ImportWarnings row={value} />
      <MissingFiles names={value.missing_summary_ids ?? []} />
      {value.status === "cancelled" && <ImportFiles {...files} status="skipped" />}
      <ImportFiles {...files} status="failed" />
    </>
  );
}

/** Files that the task expected and no ping announced. */
function MissingFiles({ names }: { names: readonly string[] }) {
  if (names.length === 0) return null;
  return (
    <section>
      <h2>Missing files</h2>
      <p class="soft">
        The task expected {counted(names.length, "file")} that no ping announced. Ping{" "}
        {names.length === 1 ? "it" : "them"}, then send the task again.
      </p>
      <ul class="ids">
        {names.slice(0, MISSING_SHOWN).map((name) => (
          <li key={name}>
            <code>{name}</code>
          </li>
        ))}
      </ul>
      {names.length > MISSING_SHOWN && <p class="soft">And {number(names.length - MISSING_SHOWN)} more.</p>}
    </section>
  );
}

function countFacts({
  files: { total: _total, pending, ...outcomes },
}: Import): [name: string, value: string][] {
  return Object.entries({ ...outcomes, pending }).map(([name, files]) => [titled(name), number(files)]);
}
