/** What follows from a delivery's attempt. Pure: time and chance are arguments. */

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** The contract's schedule: after each failed attempt so long until the next, about three days in all. */
const DELAYS_MS = [
  5 * SECOND_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  24 * HOUR_MS,
];
/** Spreads receivers that failed together; it only shortens, so that the schedule is a promise. */
const JITTER = 0.1;
/** The longest a queue keeps a message back; a receiver that asks for more gets this. */
export const MAX_DELAY_MS = 24 * HOUR_MS;

/**
 * The instant of the next attempt, or null when no more are made. `failedAttempts` counts those that ended so
 * far, at least 1; `random` is in [0, 1). A receiver's `Retry-After` lengthens a delay and is never undercut.
 */
export function nextAttemptAt(after: {
  failedAttempts: number;
  nowMs: number;
  retryAfterSeconds: number | null;
  random: number;
}): number | null {
  const delayMs = DELAYS_MS[after.failedAttempts - 1];
  if (delayMs === undefined) return null;
  const askedMs = (after.retryAfterSeconds ?? 0) * SECOND_MS;
  return after.nowMs + Math.min(MAX_DELAY_MS, Math.max(delayMs * (1 - JITTER * after.random), askedMs));
}

export type Next =
  { status: "delivered" | "failed"; next_attempt_at: null } | { status: "pending"; next_attempt_at: number };

/** `httpStatus` is the answer's, null when there was none. 410 means that the receiver wants no more. */
export function afterAttempt(httpStatus: number | null, attempt: Parameters<typeof nextAttemptAt>[0]): Next {
  if (httpStatus !== null && httpStatus >= 200 && httpStatus < 300) {
    return { status: "delivered", next_attempt_at: null };
  }
  const nextAt = httpStatus === 410 ? null : nextAttemptAt(attempt);
  return nextAt === null
    ? { status: "failed", next_attempt_at: null }
    : { status: "pending", next_attempt_at: Math.round(nextAt) };
}
