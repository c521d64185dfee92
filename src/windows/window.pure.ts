/** Window of a host: its limit of simultaneous requests, and its suspension. Pure: the time is an argument. */

/** Size of a new window: the simultaneous requests of one invocation. */
export const FIRST_SIZE = 6;
/** Maximum size of a window. */
export const LARGEST_SIZE = 288;
/** Maximum time of a GET. A single timeout suspends a host that has not responded for this time. */
export const RECENT_MS = 30_000;
/** Pause before the first probe of a suspended host. It doubles with each probe that times out. */
export const FIRST_PAUSE_MS = 5_000;
export const LONGEST_PAUSE_MS = 5 * 60_000;

/** Window of a host. While `suspension` is not null, only probes may be sent to the host. */
export interface Window {
  /** Maximum number of simultaneous requests, rounded down for use. */
  size: number;
  /** When the host last responded in time, in Unix milliseconds. Null before its first response. */
  respondedAt: number | null;
  suspension: { probeAt: number; pauseMs: number } | null;
}

/** Results of requests to a host. */
export interface Results {
  /** Number of responses in time, with any status. */
  answers: number;
  /** Number of requests without a complete response in time. */
  timeouts: number;
}

export function newWindow(): Window {
  return { size: FIRST_SIZE, respondedAt: null, suspension: null };
}

export function hasRespondedWithin({ respondedAt }: Window, milliseconds: number, nowMs: number): boolean {
  return respondedAt !== null && nowMs - respondedAt <= milliseconds;
}

/**
 * Returns the window after these results. Each response adds one request, so that the window doubles with each round,
 * and ends a suspension. A timeout halves the window. It suspends the host when the window falls below one request, or
 * when the host has not responded for `RECENT_MS`. `isProbe`: whether the results are those of a probe.
 */
export function afterResults(
  window: Window,
  { answers, timeouts }: Results,
  isProbe: boolean,
  nowMs: number,
): Window {
  let after = window;
  if (answers > 0) {
    const size = Math.min(LARGEST_SIZE, after.size + answers);
    after = { size, respondedAt: nowMs, suspension: null };
  }
  if (timeouts === 0) return after;
  if (after.suspension !== null) {
    // Requests from before the suspension prove nothing new.
    return isProbe
      ? suspended(after, Math.min(2 * after.suspension.pauseMs, LONGEST_PAUSE_MS), nowMs)
      : after;
  }
  const size = after.size / 2 ** timeouts;
  if (size >= 1 && hasRespondedWithin(after, RECENT_MS, nowMs)) return { ...after, size };
  return suspended(after, FIRST_PAUSE_MS, nowMs);
}

function suspended(window: Window, pauseMs: number, nowMs: number): Window {
  return { ...window, size: 1, suspension: { probeAt: nowMs + pauseMs, pauseMs } };
}
