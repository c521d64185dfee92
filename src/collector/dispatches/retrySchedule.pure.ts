import { HOST_RETRIES_FOR_MS, HOST_RETRY_DELAYS_MS, STORE_RETRIES_FOR_MS } from "../../contract/limits.ts";

/** Schedule of the retries and postponements of a file. Pure: the time is an argument. */

/** Origins of a fault: the partner's host, or a store of this service. */
export const FAULT_ORIGINS = ["host", "own_store"] as const;
export type FaultOrigin = (typeof FAULT_ORIGINS)[number];

/** Number of a version's faults of one origin, and the time of the first in Unix milliseconds. */
export interface FaultSeries {
  times: number;
  since: number;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
export const HOUR_MS = 60 * MINUTE;

/** Delays after each fault of a store of this service. The last one repeats. */
const OWN_STORE_DELAYS_MS = [5 * SECOND, 15 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE];

/** Maximum time from the first fault or postponement to the last attempt. Retry-After does not extend it. */
export const LIMIT_MS: Record<FaultOrigin, number> = {
  host: HOST_RETRIES_FOR_MS,
  own_store: STORE_RETRIES_FOR_MS,
};

/** Maximum pause of a postponed file. Pauses grow up to it, because an outage may last for hours. */
const LONGEST_PAUSE_MS = 30 * MINUTE;

/**
 * Returns when to dispatch a postponed file again, in Unix milliseconds. Null when it was postponed for too long.
 * `since` is when it was first postponed, `leastMs` the minimum pause. Each pause is half of the time since then.
 */
export function postponedUntil(postponed: {
  origin: FaultOrigin;
  since: number;
  leastMs: number;
  nowMs: number;
}): number | null {
  const { origin, since, leastMs, nowMs } = postponed;
  if (nowMs - since >= LIMIT_MS[origin]) return null;
  const pauseMs = Math.max(leastMs, Math.min((nowMs - since) / 2, LONGEST_PAUSE_MS));
  // Alarms have whole milliseconds. Rounded down, an alarm would run before the file is due, again and again.
  return nowMs + Math.ceil(pauseMs);
}

/**
 * Returns the time of the next attempt in Unix milliseconds. Null when no attempt follows. `failedAttempts` is the
 * number of failed attempts, at least 1; `firstFaultAt` is the time of the first.
 */
export function nextTryAt(fault: {
  origin: FaultOrigin;
  failedAttempts: number;
  firstFaultAt: number;
  retryAfterSeconds: number | null;
  nowMs: number;
}): number | null {
  const own = fault.origin === "own_store";
  const delays = own ? OWN_STORE_DELAYS_MS : HOST_RETRY_DELAYS_MS;
  const limitAt = fault.firstFaultAt + LIMIT_MS[fault.origin];
  const delay = own
    ? delays[Math.min(fault.failedAttempts, delays.length) - 1]
    : delays[fault.failedAttempts - 1];
  if (delay === undefined || fault.nowMs >= limitAt) return null;
  const wanted = fault.nowMs + Math.max(delay, (fault.retryAfterSeconds ?? 0) * SECOND);
  return Math.min(wanted, limitAt);
}
