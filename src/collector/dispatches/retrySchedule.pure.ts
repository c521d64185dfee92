/** When a file that could not be imported is tried again. Pure: the time is an argument. */

/** Whose fault it was: the partner's host, or one of our own stores. */
export const FAULT_ORIGINS = ["host", "own_store"] as const;
export type FaultOrigin = (typeof FAULT_ORIGINS)[number];

/** Faults of one origin that a version has met, and since when (Unix milliseconds). */
export interface FaultSeries {
  times: number;
  since: number;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** A host has about four hours to come back: most outages are shorter, and single-use URLs live about as long. */
const HOST_DELAYS_MS = [
  10 * SECOND,
  30 * SECOND,
  2 * MINUTE,
  5 * MINUTE,
  15 * MINUTE,
  30 * MINUTE,
  HOUR,
  HOUR,
  HOUR,
];
/** A host may ask for more time by Retry-After, but never past this. */
const HOST_LIMIT_MS = 6 * HOUR;

/** Our own stores come back; asking more often than this helps nobody. */
const OWN_STORE_DELAYS_MS = [5 * SECOND, 15 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE];
const OWN_STORE_LIMIT_MS = 24 * HOUR;

/** Postponed files come back after growing pauses, as their host or store may be away for hours. */
const LONGEST_PAUSE_MS = 30 * MINUTE;

/**
 * When a postponed file is dispatched again, or null when it has been postponed for too long. `since` is when it was
 * first postponed, `leastMs` the least pause. Pauses grow by half, because each is half of the time since then.
 */
export function postponedUntil(postponed: {
  origin: FaultOrigin;
  since: number;
  leastMs: number;
  nowMs: number;
}): number | null {
  const { origin, since, leastMs, nowMs } = postponed;
  if (nowMs - since >= (origin === "own_store" ? OWN_STORE_LIMIT_MS : HOST_LIMIT_MS)) return null;
  const pauseMs = Math.max(leastMs, Math.min((nowMs - since) / 2, LONGEST_PAUSE_MS));
  // An alarm takes whole milliseconds; rounded down, it would ring before anything is due, again and again.
  return nowMs + Math.ceil(pauseMs);
}

/**
 * The instant of the next attempt, or null when no more are made.
 * `failedAttempts` counts attempts that ended so far, at least 1; `firstFaultAt` is when the first of them did.
 */
export function nextTryAt(fault: {
  origin: FaultOrigin;
  failedAttempts: number;
  firstFaultAt: number;
  retryAfterSeconds: number | null;
  nowMs: number;
}): number | null {
  const own = fault.origin === "own_store";
  const delays = own ? OWN_STORE_DELAYS_MS : HOST_DELAYS_MS;
  const limitAt = fault.firstFaultAt + (own ? OWN_STORE_LIMIT_MS : HOST_LIMIT_MS);
  const delay = own
    ? delays[Math.min(fault.failedAttempts, delays.length) - 1]
    : delays[fault.failedAttempts - 1];
  if (delay === undefined || fault.nowMs >= limitAt) return null;
  const wanted = fault.nowMs + Math.max(delay, (fault.retryAfterSeconds ?? 0) * SECOND);
  return Math.min(wanted, limitAt);
}
