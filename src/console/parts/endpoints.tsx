import { useState } from "preact/hooks";
import { dateOf, dayOf } from "../../contract/days.ts";
import { DAY_MS } from "../../contract/limits.ts";
import type { Endpoint } from "../../endpoints/endpoint.ts";
import type { Api, Problem } from "../api.ts";
import { counted, localTime, number } from "../format.ts";
import { addressOf } from "../router.ts";
import { Action, ProblemBox } from "./page.tsx";

/** Number of days of a strip, as the service counts them. */
const DAYS = 14;

const MARKS = { active: "good", failing: "bad", disabled: "bad", unverified: "warn" } as const;

/** The state of an endpoint. A hold is a state of its own, because its partner asked for it. */
export function EndpointMark({ endpoint }: { endpoint: Endpoint }) {
  if (endpoint.on_hold && endpoint.state !== "disabled") return <span class="status wait">on hold</span>;
  return <span class={`status ${MARKS[endpoint.state]}`}>{endpoint.state}</span>;
}

/** Returns why an endpoint receives no events, for people. Null for one that does. */
export function reasonOf(
  { state, reason, on_hold, failing_since, disabled_at }: Endpoint,
  isLocked: boolean,
): string | null {
  if (state === "failing" && failing_since !== null)
    return `No attempt succeeded since ${localTime(failing_since)}.`;
  if (state === "disabled" && disabled_at !== null)
    return `Disabled since ${localTime(disabled_at)}: all attempts had failed for days. Repair the receiver, then ${isLocked ? "ask us to recover" : "recover"} the endpoint.`;
  return on_hold ? `Events wait until ${isLocked ? "the hold ends" : "you end the hold"}.` : reason;
}

/** Attempts of the last 14 days as columns. A day without attempts is a line. */
export function DayStrip({ endpoint: { days } }: { endpoint: Endpoint }) {
  const today = dayOf(Date.now());
  const columns = Array.from({ length: DAYS }, (_, index) => {
    const day = dateOf(today - DAYS + 1 + index);
    return days.find((one) => one.day === day) ?? { day, delivered: 0, failed: 0 };
  });
  const most = Math.max(1, ...columns.map(({ delivered, failed }) => delivered + failed));
  const sum = (of: "delivered" | "failed") => columns.reduce((total, day) => total + day[of], 0);
  const [delivered, failed] = [sum("delivered"), sum("failed")];
  const words =
    delivered + failed === 0
      ? `No attempts in ${DAYS} days`
      : `${number(delivered)} of ${counted(delivered + failed, "attempt")} succeeded in ${DAYS} days`;
  return (
    <div class="strip">
      <svg viewBox={`0 0 ${DAYS * 10} 40`} role="img" aria-label={words} preserveAspectRatio="none">
        {columns.map((day, index) => {
          const height = (count: number) => (count === 0 ? 0 : Math.max(3, (count / most) * 38));
          const [good, bad] = [height(day.delivered), height(day.failed)];
          return (
            <g key={day.day}>
              <title>{`${day.day}: ${day.delivered} delivered, ${day.failed} failed`}</title>
              <rect class="track" x={index * 10 + 1} y={38} width={8} height={2} />
              <rect class="imported" x={index * 10 + 1} y={40 - good} width={8} height={good} />
              <rect
                class="failed"
                x={index * 10 + 1}
                y={Math.max(0, 40 - good - bad)}
                width={8}
                height={bad}
              />
            </g>
          );
        })}
      </svg>
      <span class="soft">{words}</span>
    </div>
  );
}

/** Endpoints with their state, days and what can be sent to them. `isLocked`: only an operator can recover them. */
export function EndpointRows({
  api,
  endpoints,
  isLocked,
  onSent,
}: {
  api: Api;
  endpoints: readonly Endpoint[];
  isLocked: boolean;
  onSent: () => Promise<void>;
}) {
  return (
    <ul class="plainlist endpoints">
      {endpoints.map((endpoint) => (
        <li key={endpoint.endpoint_id}>
          <div class="what">
            <a class="name" href={addressOf(["settings", endpoint.endpoint_id])}>
              {endpoint.url}
            </a>
            <EndpointMark endpoint={endpoint} />
            {reasonOf(endpoint, isLocked) !== null && <p class="soft">{reasonOf(endpoint, isLocked)}</p>}
          </div>
          <DayStrip endpoint={endpoint} />
          <div class="does">
            <Action
              api={api}
              path={`/api/events/test/?endpoint_id=${encodeURIComponent(endpoint.endpoint_id)}`}
              done="Queued. It appears in the list."
              onDone={onSent}
            >
              Send a test event
            </Action>
            {!isLocked && <Recover api={api} endpoint={endpoint} onDone={onSent} />}
          </div>
        </li>
      ))}
    </ul>
  );
}

/** Returns an instant as the value of a `datetime-local` field. */
function localValue(ms: number): string {
  const offsetMs = new Date(ms).getTimezoneOffset() * 60_000;
  return new Date(ms - offsetMs).toISOString().slice(0, 16);
}

/** Sends again what failed or was held since a time that the person chooses. */
export function Recover({
  api,
  endpoint,
  onDone,
}: {
  api: Api;
  endpoint: Endpoint;
  onDone: () => Promise<void>;
}) {
  const start = endpoint.failing_since ?? endpoint.disabled_at;
  const [since, setSince] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [done, setDone] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const recover = async () => {
    const at = new Date(since ?? "");
    if (Number.isNaN(at.getTime())) return;
    setBusy(true);
    const path = `/api/endpoints/${encodeURIComponent(endpoint.endpoint_id)}/recover/`;
    const result = await api.post(path, json({ since: at.toISOString() }));
    setProblem(result.ok ? null : result.problem);
    if (result.ok) {
      setDone(`Events since ${localTime(at.toISOString())} that failed or were held are sent again.`);
      setSince(null);
    }
    await onDone();
    setBusy(false);
  };
  return (
    <div class="action recover">
      {since === null ? (
        <button
          type="button"
          disabled={endpoint.on_hold}
          title={endpoint.on_hold ? "End the hold instead: it sends the events that wait." : undefined}
          onClick={() => setSince(localValue(start === null ? Date.now() - DAY_MS : Date.parse(start)))}
        >
          Recover…
        </button>
      ) : (
        <form
          class="edit"
          onSubmit={(event) => {
            event.preventDefault();
            void recover();
          }}
        >
          <label class="field">
            Send again what failed since
            <input
              type="datetime-local"
              required
              value={since}
              onInput={(event) => setSince(event.currentTarget.value)}
            />
          </label>
          <button type="submit" class="primary" disabled={isBusy}>
            Send again
          </button>
          <button type="button" disabled={isBusy} onClick={() => setSince(null)}>
            Close
          </button>
        </form>
      )}
      <span role="status">{done}</span>
      <ProblemBox problem={problem} />
    </div>
  );
}

/** Returns a JSON body. */
export function json(value: object): Blob {
  return new Blob([JSON.stringify(value)], { type: "application/json" });
}
