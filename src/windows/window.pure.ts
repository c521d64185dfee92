/** How many requests may be under way at one host at a time, and whether any may. Pure: the time is an argument. */

/** Requests at a host that has not answered yet: those of one invocation. */
export const FIRST_SIZE = 6;
/** More than this is never under way at one host from one queue. */
export const LARGEST_SIZE = 288;
/** A host without an answer for this long, the time of a GET, is suspended by a single timeout. */
export const RECENT_MS = 30_000;
/** Pause before the first probe of a suspended host; it doubles with each probe that times out. */
export const FIRST_PAUSE_MS = 5_000;
export const LONGEST_PAUSE_MS = 5 * 60_000;

/** The window of a host. It is suspended while `suspension` is not null: only a probe may reach the host. */
export interface Window {
  /** Not rounded; its whole part counts. */
  size: number;
  /** When the host last answered in time, in Unix milliseconds; null: not yet. */
  answeredAt: number | null;
  suspension: { probeAt: number; pauseMs: number } | null;
}

/** What became of requests at a host. */
export interface Results {
  /** Answered in time, whatever the answer was. */
  answers: number;
  /** Not answered, or not to the end, in the time of a request. */
  timeouts: number;
}

export function newWindow(): Window {
  return { size: FIRST_SIZE, answeredAt: null, suspension: null };
}

export function hasAnsweredWithin({ answeredAt }: Window, milliseconds: number, nowMs: number): boolean {
  return answeredAt !== null && nowMs - answeredAt <= milliseconds;
}

/**
 * The window after these results. An answer makes room for one more, so that the window doubles with each round, and
 * ends a suspension. A timeout halves the window; it suspends the host when less than one request is left, or when the
 * host has not answered since the request began. `isProbe`: the results are those of a probe.
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
    after = { size, answeredAt: nowMs, suspension: null };
  }
  if (timeouts === 0) return after;
  if (after.suspension !== null) {
    // Requests that began before the suspension say nothing new.
    return isProbe
      ? suspended(after, Math.min(2 * after.suspension.pauseMs, LONGEST_PAUSE_MS), nowMs)
      : after;
  }
  const size = after.size / 2 ** timeouts;
  if (size >= 1 && hasAnsweredWithin(after, RECENT_MS, nowMs)) return { ...after, size };
  return suspended(after, FIRST_PAUSE_MS, nowMs);
}

function suspended(window: Window, pauseMs: number, nowMs: number): Window {
  return { ...window, size: 1, suspension: { probeAt: nowMs + pauseMs, pauseMs } };
}
