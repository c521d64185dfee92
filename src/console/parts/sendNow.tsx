import { useState } from "preact/hooks";
import type { EventWithAttempts } from "../../deliveries/event.ts";
import type { Api, Problem } from "../api.ts";
import { relativeTime } from "../format.ts";
import { ProblemBox } from "./page.tsx";

/** A button that sends an event now. Says what came of it when the attempt has been made, and keeps saying it. */
export function SendNow({
  api,
  path,
  event,
  onDone,
}: {
  api: Api;
  path: string;
  event: EventWithAttempts;
  onDone: () => Promise<void>;
}) {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [sentAfter, setSentAfter] = useState<number | null>(null);
  const send = async () => {
    setBusy(true);
    const before = event.attempt_count;
    const result = await api.post(`${path}resend/`);
    setProblem(result.ok ? null : result.problem);
    if (result.ok) setSentAfter(before);
    await onDone();
    setBusy(false);
  };
  if (event.endpoint_id === null) {
    return (
      <div class="action">
        <button type="button" disabled aria-describedby="no-receiver">
          Send now
        </button>
        <span id="no-receiver" class="soft">
          No endpoint receives this event.
        </span>
      </div>
    );
  }
  const isWaiting = sentAfter !== null && event.status === "pending" && event.attempt_count === sentAfter;
  return (
    <div class="action">
      <button type="button" disabled={isBusy || isWaiting} onClick={() => void send()}>
        {event.status === "delivered" ? "Send again" : "Send now"}
      </button>
      <span role="status">
        {sentAfter === null ? "" : isWaiting ? "Queued for delivery…" : resultOf(event)}
      </span>
      <ProblemBox problem={problem} />
    </div>
  );
}

/** Says what the latest attempt has brought. */
function resultOf({ status, attempts, next_attempt_at }: EventWithAttempts): string {
  const last = attempts.at(-1);
  if (last === undefined) return "Queued for delivery.";
  const response =
    last.status === null
      ? `No response: ${last.answer ?? "the connection failed."}`
      : `Your receiver returned ${last.status}.`;
  if (status === "delivered") return `Delivered. ${response}`;
  const next = next_attempt_at === null ? "" : ` The next attempt is ${relativeTime(next_attempt_at)}.`;
  return `Not delivered. ${response}${next}`;
}
