import { useEffect, useRef } from "preact/hooks";
import type { File } from "../../files/file.ts";
import type { Import } from "../../imports/import.ts";
import type { Api } from "../api.ts";
import { withQuery } from "../withQuery.ts";
import { counted, number, NONE } from "../format.ts";
import { useList, useLoad, type LoadedList } from "../load.ts";
import { canRetry } from "../parts/advice.tsx";
import { Confirmed } from "../parts/confirmed.tsx";
import { DownloadReport } from "../parts/downloadReport.tsx";
import { FailureGroups } from "../parts/failures.tsx";
import { shownStatus } from "../parts/fileStatuses.ts";
import { Id, UserLink } from "../parts/id.tsx";
import { ImportFiles } from "../parts/importFiles.tsx";
import { ImportWarnings } from "../parts/importWarnings.tsx";
import { lasting } from "../parts/lasting.ts";
import { FilterField, List, Table, UserField } from "../parts/list.tsx";
import { usePace } from "../parts/pace.ts";
import { Facts, Heading, Loading, ProblemBox, Status } from "../parts/page.tsx";
import { Progress } from "../parts/progress.tsx";
import { RetryNote, useRetry, type Retry } from "../parts/retryImport.tsx";
import { Stages } from "../parts/stages.tsx";
import { When } from "../parts/when.tsx";
import { addressOf, go, usePlace, type Place } from "../router.ts";

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
        <UserField api={api} value={user_id} onValue={(value) => narrow({ user_id: value })} />
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
                  <a href={addressOf(["imports", row.import_id])}>
                    <When at={row.requested_at} isStill />
                  </a>
                </td>
                <td>
                  <Status status={row.status} />
                </td>
                <td>
                  <UserLink id={row.user_id} />
                </td>
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

/** Returns whether files of the import are still in progress: of its task, or of a retry after it has completed. */
function isInProgress(row: Import, queued: LoadedList<File>, retry: Retry): boolean {
  return row.completed_at === null || retry.isRunning || (queued.rows ?? []).length > 0;
}

export function ImportView({ api, id }: { api: Api; id: string }) {
  const status = shownStatus(usePlace().query["files"]);
  const path = `/api/imports/${encodeURIComponent(id)}/`;
  const isBusy = useRef(true);
  const polls = () => isBusy.current;
  const filesOf = (query: Record<string, string>) => withQuery("/api/files/", { import_id: id, ...query });
  const found = useLoad<Import>(api, path, EVERY_MS, polls);
  const queued = useList<File>(api, filesOf({ status: "queued" }), EVERY_MS, polls);
  const failed = useList<File>(api, filesOf({ status: "failed", limit: "200" }), EVERY_MS, polls);
  const skipped = useList<File>(api, filesOf({ status: "skipped" }), EVERY_MS, polls);
  const files = useList<File>(api, filesOf({ status }), EVERY_MS, polls);
  const reload = async () => {
    const lists = [queued, failed, skipped, files].filter(({ paused }) => !paused);
    await Promise.all([found.reload(), ...lists.map(async (list) => list.reload())]);
  };
  const retry = useRetry(api, path, id, reload);
  const { value, problem } = found;
  isBusy.current = value === null || isInProgress(value, queued, retry);
  // Reads everything once more when the work has ended: the lists may lack the last files.
  const hasEnded = !isBusy.current;
  useEffect(() => {
    if (hasEnded) void reload();
  }, [hasEnded]);
  // All parts are shown at once, so that none moves another.
  const isRead = [queued, failed, skipped].every((list) => list.rows !== null || list.problem !== null);
  if (value === null || !isRead) {
    return (
      <>
        <Heading title="Import" />
        {problem === null ? <Loading /> : <ProblemBox problem={problem} onRetry={found.reload} />}
      </>
    );
  }
  const retryable = [...(failed.rows ?? []), ...(skipped.rows ?? [])].filter(canRetry).length;
  return (
    <>
      <Heading title={`Import of ${counted(value.files.total, "file")}`} kind="Import">
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
      {value.completed_at === null && <PaceOf row={value} queued={queued.rows ?? []} />}
      {value.status === "cancelled" && value.completed_at === null && (
        <p class="note">
          The import is cancelled. Files that were being imported are finished first. Then the import
          completes.
        </p>
      )}
      {value.completed_at !== null && !retry.isRunning && (queued.rows ?? []).length > 0 && (
        <p class="note">
          {counted((queued.rows ?? []).length, "file")} of this import{" "}
          {queued.loadMore === null ? "" : "or more "}
          were retried and are in progress.
        </p>
      )}
      <Stages row={value} />
      <ImportWarnings row={value} />
      <MissingFiles names={value.missing_summary_ids ?? []} />
      <section>
        <h2>Failures</h2>
        <RetryNote retry={retry} />
        {(retryable > 0 || retry.isSending) && (
          <button
            type="button"
            disabled={retry.isSending || retry.isRunning}
            onClick={() => void retry.send()}
          >
            {value.status === "cancelled"
              ? "Retry failed and skipped files"
              : failed.loadMore === null
                ? `Retry ${counted(retryable, "failed file")}`
                : "Retry failed files"}
          </button>
        )}
        <FailureGroups list={failed} count={value.files.failed} importId={value.import_id} />
      </section>
      <ImportFiles row={value} list={files} status={status} />
      <Facts
        facts={[
          ["User", <UserLink key="user" id={value.user_id} />],
          ["Source", value.source],
          ["Requested", <When key="requested" at={value.requested_at} />],
          ["Completed", <When key="completed" at={value.completed_at} />],
          ["Initial import", value.is_initial_import ? "yes" : "no"],
          [
            "event_id",
            value.event_id === null ? NONE : <Id key="event" id={value.event_id} what="event_id" />,
          ],
          ["Import id", <Id key="id" id={value.import_id} what="import id" />],
        ]}
      />
    </>
  );
}

/** How fast a running import is, how long it has run, and how long it will take if that can be known. */
function PaceOf({ row, queued }: { row: Import; queued: readonly File[] }) {
  const { filesPerSecond, stalledForMs } = usePace(row);
  const nowMs = Date.now();
  const waiting = queued.filter(
    ({ next_attempt_at: at }) => at !== null && Date.parse(at) > nowMs + WAITING_FROM_MS,
  );
  const lastAttemptMs = Math.max(0, ...waiting.map(({ next_attempt_at: at }) => Date.parse(at ?? "")));
  const leftMs = filesPerSecond === null ? null : (row.files.pending * 1_000) / filesPerSecond;
  // Files that wait for a later attempt make the end unknown.
  const isKnown = leftMs !== null && nowMs + leftMs > lastAttemptMs && row.files.pending > 0;
  const parts = [
    `Running for ${lasting(nowMs - Date.parse(row.requested_at))}`,
    ...(filesPerSecond === null ? [] : [paceInWords(filesPerSecond)]),
    ...(stalledForMs === null ? [] : [`no file finished in the last ${lasting(stalledForMs)}`]),
    ...(isKnown ? [`about ${lasting(leftMs)} left at this pace`] : []),
    ...(waiting.length === 0 ? [] : [`${counted(waiting.length, "file")} waiting for another attempt`]),
  ];
  return <p class="pace">{parts.join(" · ")}</p>;
}

/** An attempt that is due later than this makes its file wait. */
const WAITING_FROM_MS = 5_000;

function paceInWords(filesPerSecond: number): string {
  return filesPerSecond >= 1
    ? `${number(filesPerSecond, 1)} files per second`
    : `${counted(Math.max(1, Math.round(filesPerSecond * 60)), "file")} per minute`;
}

/** Files that the task expected and that were never pinged. */
function MissingFiles({ names }: { names: readonly string[] }) {
  if (names.length === 0) return null;
  return (
    <section>
      <h2>Missing files</h2>
      <p class="soft">
        The task expected {counted(names.length, "file")} that {names.length === 1 ? "was" : "were"} never
        pinged. Ping {names.length === 1 ? "it" : "them"}, then send the task again.
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
