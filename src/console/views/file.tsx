import { useEffect } from "preact/hooks";
import type { File } from "../../files/file.ts";
import type { Timeline } from "../../files/timeline.ts";
import type { Api } from "../api.ts";
import { bytes, number, localTime, NONE } from "../format.ts";
import { useLoad } from "../load.ts";
import { Action, Facts, Heading, Loading, ProblemBox, Status } from "../parts/page.tsx";
import { Confirmed } from "../parts/confirmed.tsx";
import { addressOf, go } from "../router.ts";
import { EditText } from "../parts/edit.tsx";
import { Warnings } from "../parts/warnings.tsx";
import { Advice, canRetry } from "../parts/advice.tsx";

const EVERY_MS = 2_000;

const STEPS: Readonly<Record<Timeline["data"][number]["what"], string>> = {
  pinged: "Pinged",
  held: "Held until the task",
  released: "Released by the task",
  dispatched: "Sent to an importer",
  attempt_failed: "Attempt failed; a retry follows",
  attempt_interrupted: "Attempt interrupted on our side",
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
        <code>{fault.code}</code>
      </strong>
      <p>{fault.detail}</p>
      <p>{file.error === null ? nextAttempt(file) : <Advice file={file} />}</p>
    </div>
  );
}

function nextAttempt({ next_attempt_at }: File): string {
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
  return (
    <>
      <Heading title={value === null ? "File" : value.summary_id} kind="File" />
      <ProblemBox problem={file.problem} />
      {value === null ? (
        file.problem === null && <Loading />
      ) : (
        <>
          <div class="lead">
            <Status status={value.status} />
            {canRetry(value) && (
              <Action api={api} path={`${path}retry/`} done="Queued again." onDone={reload}>
                Retry
              </Action>
            )}
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
            <section>
              <h2>Timeline</h2>
              <ProblemBox problem={timeline.problem} />
              <ol class="timeline">
                {(timeline.value?.data ?? []).map((step, index) => (
                  <li key={index} class={step.what}>
                    <time dateTime={step.at}>{localTime(step.at)}</time>
                    <div>
                      <strong>{STEPS[step.what]}</strong>
                      {step.attempt === undefined ? null : (
                        <span class="soft"> · attempt {step.attempt}</span>
                      )}
                      {step.code === undefined ? null : (
                        <p>
                          <code>{step.code}</code> {step.detail}
                        </p>
                      )}
                      {step.import_id === undefined ? null : (
                        <p>
                          <a href={addressOf(["imports", step.import_id])}>View import</a>
                        </p>
                      )}
                    </div>
                  </li>
                ))}
              </ol>
            </section>
            <section>
              <h2>Details</h2>
              <Facts
                facts={[
                  ["User", value.user_id],
                  ["Source", value.source],
                  ["Priority", value.priority === 1 ? "1 (live ride)" : "0 (history)"],
                  ["Overwrite", value.overwrite_mode ? "yes" : "no"],
                  ["Attempts", number(value.attempts)],
                  ["Size", bytes(value.size_in_bytes)],
                  ["Received", localTime(value.received_at)],
                  ["Updated", localTime(value.updated_at)],
                  ["SHA-256", <code key="hash">{value.sha256 ?? NONE}</code>],
                  ["File id", <code key="id">{value.file_id}</code>],
                ]}
              />
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
              {value.activity_ids.length === 0 ? <p class="soft">No activities can be read.</p> : null}
              <ul class="plainlist">
                {value.activity_ids.map((activity, index) => (
                  <li key={activity}>
                    <a href={addressOf(["activities", activity])}>Session {index + 1}</a>
                  </li>
                ))}
              </ul>
              <Warnings warnings={value.warnings} />
            </section>
          </div>
        </>
      )}
    </>
  );
}
