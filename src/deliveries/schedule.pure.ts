/** Decisions after an attempt of a delivery. Pure: time and randomness are arguments. */

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** Time for a receiver to respond, as the contract states it. */
export const RESPONSE_DEADLINE_MS = 15 * SECOND_MS;

/** Delays after each failed attempt, as the contract states them: about three days in total. */
export const DELAYS_MS = [
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
/** Maximum number of attempts in one schedule. */
export const MAX_ATTEMPTS = DELAYS_MS.length + 1;
/** Spreads attempts to receivers that failed together. It only shortens delays: the schedule is an upper bound. */
export const JITTER = 0.1;
/** Maximum delay of a queue message. A longer `Retry-After` is cut to it. */
export const MAX_DELAY_MS = 24 * HOUR_MS;

/**
 * Returns the time of the next attempt, or null when no more are made. `failedAttempts` is at least 1; `random` is in
 * [0, 1). A receiver's `Retry-After` lengthens a delay and never shortens it.
 */
export function nextAttemptAt(after: {
  failedAttempts: number;
  nowMs: number;
  retryAfterSeconds: number | null;
  random: number;
}): number | null {
  const delayMs = DELAYS_MS[after.failedAttempts - 1];
  if (delayMs === undefined) return null;
  const requestedMs = (after.retryAfterSeconds ?? 0) * SECOND_MS;
  return after.nowMs + Math.min(MAX_DELAY_MS, Math.max(delayMs * (1 - JITTER * after.random), requestedMs));
}

export type Next =
  { status: "delivered" | "failed"; next_attempt_at: null } | { status: "pending"; next_attempt_at: number };

/** Returns the state after an attempt. `httpStatus` is null without a response. 410 ends the attempts. */
export function afterAttempt(httpStatus: number | null, attempt: Parameters<typeof nextAttemptAt>[0]): Next {
  if (httpStatus !== null && httpStatus >= 200 && httpStatus < 300) {
    return { status: "delivered", next_attempt_at: null };
  }
  const nextAt = httpStatus === 410 ? null : nextAttemptAt(attempt);
  return nextAt === null
    ? { status: "failed", next_attempt_at: null }
    : { status: "pending", next_attempt_at: Math.round(nextAt) };
}
