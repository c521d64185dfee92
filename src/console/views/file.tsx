import { useEffect, useState } from "preact/hooks";
import type { Activity } from "../../activities/activity.ts";
import type { File } from "../../files/file.ts";
import type { Timeline } from "../../files/timeline.ts";
import type { Api, Page, Problem } from "../api.ts";
import { bytes, duration, localTime, NONE, number, spaced, span } from "../format.ts";
import { useLoad } from "../load.ts";
import { Facts, Heading, Loading, ProblemBox, Status } from "../parts/page.tsx";
import { Confirmed } from "../parts/confirmed.tsx";
import { downloadBytes } from "../parts/download.ts";
import { Code } from "../parts/code.tsx";
import { EditText } from "../parts/edit.tsx";
import { Icon } from "../parts/icon.tsx";
import { Id, UserLink } from "../parts/id.tsx";
import { Warnings } from "../parts/warnings.tsx";
import { Advice, canRetry } from "../parts/advice.tsx";
import { When } from "../parts/when.tsx";
import { addressOf, go } from "../router.ts";
import { distance } from "../units.ts";
import { withQuery } from "../withQuery.ts";

const EVERY_MS = 2_000;

const STEPS: Readonly<Record<Timeline["data"][number]["what"], string>> = {
  pinged: "Pinged",
  held: "Held until the task",
  released: "Released by the task",
  dispatched: "Sent to an importer",
  attempt_failed: "Attempt failed",
  attempt_interrupted: "Attempt interrupted by the service",
  downloaded: "Downloaded before the task",
  imported: "Imported",
  failed: "Failed",
  skipped: "Skipped, because its import was cancelled",
  retried: "Retry requested",
};

/** Shows why the file failed or was skipped, or why its last attempt failed and when the next one is due. */
function Fault({ file }: { file: File }) {
  const fault = file.error ?? file.last_error;
  if (fault === null) return null;
  return (
    <div class={file.status === "failed" ? "problem" : "note"}>
      {file.error === null && <p>The last attempt failed:</p>}
      <strong>
        <Code name={fault.code} />
      </strong>
      <p>{fault.detail}</p>
      <p>{file.error === null ? nextAttempt(file) : <Advice file={file} />}</p>
    </div>
  );
}

function nextAttempt({ status, next_attempt_at }: File): string {
  if (next_attempt_at === null && status === "held") {
    return "The task downloads it again. If the URL is gone, ping the file again before the task.";
  }
  if (next_attempt_at === null) return "The file is queued again.";
  return Date.parse(next_attempt_at) <= Date.now()
    ? "The next attempt is due now."
    : `The next attempt is at ${localTime(next_attempt_at)}.`;
}

export function FileView({ api, id }: { api: Api; id: string }) {
  const path = `/api/files/${encodeURIComponent(id)}/`;
  const file = useLoad<File>(api, path, EVERY_MS, (found) => found.status === "queued");
  const timeline = useLoad<Timeline>(
    api,
    `${path}timeline/`,
    EVERY_MS,
    () => file.value?.status === "queued",
  );
  // Reads the timeline once more after a change of status: it may lack the last step.
  const status = file.value?.status;
  useEffect(() => void timeline.reload(), [status]);
  const reload = async () => {
    await Promise.all([file.reload(), timeline.reload()]);
  };
  const { value } = file;
  if (value === null) {
    return (
      <>
        <Heading title="File" />
        {file.problem === null ? <Loading /> : <ProblemBox problem={file.problem} onRetry={file.reload} />}
      </>
    );
  }
  return (
    <>
      <Heading title={value.summary_id} kind="File">
        <Id id={value.file_id} what="file id" />
      </Heading>
      <ProblemBox problem={file.problem} onRetry={file.reload} />
      <div class="lead">
        <Status status={value.status} />
        <Retry api={api} path={path} file={value} onDone={reload} />
        <DownloadOriginal api={api} path={path} file={value} />
        <Confirmed
          button="Delete…"
          question="Delete the file, its activities and its bytes?"
          confirm="Delete the file"
          keep="Keep it"
          send={async () => api.delete(path)}
          onDone={(isDone) => {
            if (isDone) go(["files"], { user_id: value.user_id });
          }}
        />
      </div>
      <Fault file={value} />
      <div class="columns">
        <Steps timeline={timeline.value} problem={timeline.problem} onRetry={timeline.reload} />
        <section>
          <h2>Details</h2>
          <Details file={value} />
          <EditText
            api={api}
            path={path}
            name="activity_name"
            label="Name"
            value={value.activity_name}
            isEdited={value.edited.includes("activity_name")}
            onDone={reload}
          />
          <h3>Activities</h3>
          {value.activity_ids.length === 0 ? (
            <p class="soft">No activities yet.</p>
          ) : (
            <Sessions api={api} file={value} />
          )}
          <Warnings warnings={value.warnings} />
        </section>
      </div>
    </>
  );
}

/** Offers a retry, and says what came of it until another page is opened. */
function Retry({
  api,
  path,
  file,
  onDone,
}: {
  api: Api;
  path: string;
  file: File;
  onDone: () => Promise<void>;
}) {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  /** Number of attempts before the retry. Null before a retry. */
  const [before, setBefore] = useState<number | null>(null);
  const send = async () => {
    setBusy(true);
    const result = await api.post(`${path}retry/`);
    setProblem(result.ok ? null : result.problem);
    setBefore(result.ok ? file.attempts : before);
    await onDone();
    setBusy(false);
  };
  return (
    <div class="action">
      {canRetry(file) && (
        <button type="button" disabled={isBusy} onClick={() => void send()}>
          <Icon name="again" />
          Retry
        </button>
      )}
      <span role="status">{before === null || isBusy ? "" : retrySaid(file, before)}</span>
      <ProblemBox problem={problem} />
    </div>
  );
}

function retrySaid({ status, attempts }: File, before: number): string {
  if (status === "imported") return `Attempt ${attempts} succeeded.`;
  if (status === "failed" && attempts > before) return `Attempt ${attempts} failed as well.`;
  return `Queued again. Attempt ${Math.max(attempts, before + 1)} follows.`;
}

/** Offers the original bytes, once they are stored. */
function DownloadOriginal({ api, path, file }: { api: Api; path: string; file: File }) {
  const [problem, setProblem] = useState<Problem | null>(null);
  if (file.sha256 === null) return null;
  const send = async () => {
    const result = await api.getFile(`${path}original/`);
    setProblem(result.ok ? null : result.problem);
    if (result.ok) downloadBytes(result.value.name ?? `${file.file_id}.fit`, result.value.bytes);
  };
  return (
    <div class="action">
      <button type="button" onClick={() => void send()}>
        <Icon name="download" />
        Download original
      </button>
      <ProblemBox problem={problem} />
    </div>
  );
}

function Steps({
  timeline,
  problem,
  onRetry,
}: {
  timeline: Timeline | null;
  problem: Problem | null;
  onRetry: () => Promise<void>;
}) {
  const steps = timeline?.data ?? [];
  return (
    <section>
      <h2>Timeline</h2>
      <ProblemBox problem={problem} onRetry={onRetry} />
      {timeline === null && problem === null && <Loading />}
      <ol class="timeline">
        {steps.map((step, index) => {
          const previous = steps[index - 1];
          return (
            <li key={index} class={step.what}>
              <div class="times">
                <When at={step.at}>{localTime(step.at)}</When>
                {previous !== undefined && step.at !== previous.at && (
                  <span class="soft">
                    +{span(Date.parse(step.at) - Date.parse(previous.at))}
                    <span class="unseen"> after the step before</span>
                  </span>
                )}
              </div>
              <div>
                <strong>{STEPS[step.what]}</strong>
                {step.attempt === undefined ? null : <span class="soft"> · attempt {step.attempt}</span>}
                {step.code === undefined ? null : (
                  <p>
                    <Code name={step.code} /> {step.detail}
                  </p>
                )}
                {step.import_id === undefined ? null : (
                  <p>
                    <a href={addressOf(["imports", step.import_id])}>View import</a>
                  </p>
                )}
              </div>
            </li>
          );
        })}
      </ol>
    </section>
  );
}

function Details({ file }: { file: File }) {
  const { user_id, source } = file;
  return (
    <Facts
      facts={[
        ["User", <UserLink key="user" id={user_id} />],
        [
          "Source",
          <a key="source" href={addressOf(["files"], { user_id, source })}>
            {source}
          </a>,
        ],
        ["Priority", file.priority === 1 ? "1 (live ride)" : "0 (history)"],
        ["Overwrite", file.overwrite_mode ? "yes" : "no"],
        ["Attempts", number(file.attempts)],
        ["Size", bytes(file.size_in_bytes)],
        ["Received", <When key="received" at={file.received_at} />],
        ["Updated", <When key="updated" at={file.updated_at} />],
        [
          "Import",
          file.import_id === null ? (
            NONE
          ) : (
            <Id
              key="import"
              id={file.import_id}
              what="import id"
              href={addressOf(["imports", file.import_id])}
            />
          ),
        ],
        ["SHA-256", file.sha256 === null ? NONE : <Id key="hash" id={file.sha256} what="SHA-256" />],
      ]}
    />
  );
}

/** Links to the activities of the file, with their sports and distances where the list finds them. */
function Sessions({ api, file }: { api: Api; file: File }) {
  const { file_id, user_id, source, summary_id, activity_ids } = file;
  const found = useLoad<Page<Activity>>(
    api,
    withQuery("/api/activities/", { user_id, source, name_contains: summary_id, limit: "200" }),
  );
  const known = new Map(
    found.value?.data.filter((row) => row.file_id === file_id).map((row) => [row.activity_id, row]),
  );
  return (
    <ul class="plainlist">
      {activity_ids.map((id, index) => {
        const row = known.get(id);
        return (
          <li key={id}>
            <a href={addressOf(["activities", id])}>Session {index + 1}</a>
            {row === undefined ? null : (
              <span class="soft">
                {" "}
                · {spaced(row.sport)} · {distance(row.distance_in_meters, row.sub_sport === "lap_swimming")} ·{" "}
                {duration(row.timer_time_in_seconds ?? row.elapsed_time_in_seconds)}
              </span>
            )}
          </li>
        );
      })}
    </ul>
  );
}
