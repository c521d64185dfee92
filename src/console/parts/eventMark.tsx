import type { Event } from "../../deliveries/event.ts";
import { MAX_ATTEMPTS } from "../../deliveries/schedule.pure.ts";
import { Status } from "./page.tsx";
import { When } from "./when.tsx";

/** Returns whether an event waits for another attempt after failed ones. */
export function isRetrying({ status, attempt_count, attempts_left }: Event): boolean {
  return status === "pending" && attempt_count > 0 && attempts_left < MAX_ATTEMPTS;
}

/** The state of an event's delivery: `retrying, 3 of 10`. */
export function EventMark({ event }: { event: Event }) {
  if (!isRetrying(event)) return <Status status={event.status} />;
  return (
    <span class="status warn">
      retrying, {MAX_ATTEMPTS - event.attempts_left} of {MAX_ATTEMPTS}
    </span>
  );
}

/** When the next attempt of an event is due. */
export function NextAttempt({ at }: { at: string | null }) {
  return at !== null && Date.parse(at) <= Date.now() ? <>due now</> : <When at={at} isStill />;
}
