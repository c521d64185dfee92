import { useState } from "preact/hooks";
import { STEPS } from "../../verify/steps.ts";
import { summaryOf, type Report, type StepResult } from "../../verify/report.ts";
import { verify } from "../../verify/verify.ts";
import type { Api } from "../api.ts";
import { number } from "../format.ts";
import { notePassed } from "../parts/checked.ts";
import { download } from "../parts/download.ts";
import { Heading, Status } from "../parts/page.tsx";

export function CheckView({ api }: { api: Api }) {
  const [running, setRunning] = useState(false);
  const [results, setResults] = useState<StepResult[]>([]);
  const [report, setReport] = useState<Report | null>(null);
  const start = async () => {
    setRunning(true);
    setReport(null);
    setResults([]);
    const target = { base: location.origin, partnerId: api.partnerId, key: api.key };
    const finished = await verify(target, (step) => setResults((before) => [...before, step]));
    if (finished.ok) notePassed(api.partnerId);
    setReport(finished);
    setRunning(false);
  };
  const next = running ? STEPS[results.length]?.id : undefined;
  return (
    <>
      <Heading title="Check my integration">
        <button type="button" class="primary" disabled={running} onClick={() => void start()}>
          {running ? "Running…" : report === null ? "Run the check" : "Run again"}
        </button>
      </Heading>
      <p class="soft">
        Runs a complete integration with a temporary user, <code>verify-…</code>, and deletes the user at the
        end. If you have an endpoint, your receiver gets one import event and two test events. To run the same
        check in a terminal:{" "}
        <code>
          npm run verify -- --base {location.origin} --partner {api.partnerId}
        </code>
      </p>
      <ol class="steps">
        {STEPS.map(({ id, title }) => {
          const result = results.find((step) => step.id === id);
          return (
            <li key={id} id={`step-${id}`} tabIndex={-1}>
              <div>
                <strong>{title}</strong>
                <p class="soft">{result?.detail ?? (id === next ? "Running…" : "Not run yet.")}</p>
              </div>
              <span class="soft numbers">
                {result === undefined ? "" : number(result.milliseconds / 1000, 1, "s")}
              </span>
              {result === undefined ? <span /> : <Status status={result.status} />}
            </li>
          );
        })}
      </ol>
      <div role="status">
        {report === null ? null : (
          <div class={report.ok ? "note" : "problem"}>
            <p>{summaryOf(report)}</p>
            <Failed steps={report.steps} />
          </div>
        )}
      </div>
      {report === null ? null : (
        <button
          type="button"
          onClick={() =>
            download(
              `integration-${report.partner_id}-${report.finished_at.slice(0, 10)}.json`,
              "application/json",
              JSON.stringify(report, null, 2),
            )
          }
        >
          Download the report as JSON
        </button>
      )}
    </>
  );
}

/** Buttons that lead to the failed steps. */
function Failed({ steps }: { steps: readonly StepResult[] }) {
  const failed = steps.filter(({ status }) => status === "failed");
  if (failed.length === 0) return null;
  return (
    <ul class="plainlist">
      {failed.map(({ id, title }) => (
        <li key={id}>
          <button
            type="button"
            class="plain"
            onClick={() => document.querySelector<HTMLElement>(`#step-${CSS.escape(id)}`)?.focus()}
          >
            {title}
          </button>
        </li>
      ))}
    </ul>
  );
}
