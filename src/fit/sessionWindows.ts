import { clockOf, isMisplaced, type Clock } from "./clock.ts";
import type { SESSION, Values } from "./profile.ts";
import type { ChainedFile } from "./firstPass.ts";

/** A session and its time window. A chained file with records but no session has one window over all of them. */
export interface SessionWindow {
  readonly session: Values<typeof SESSION>;
  readonly hasSession: boolean;
  /** Time on the clock's timeline; NaN when the file has no time for it. */
  readonly start: number;
  /** Whether the session message contains a valid start. */
  readonly startIsRecorded: boolean;
  /** `start` plus `elapsed`; Infinity when the duration is unknown. */
  readonly end: number;
  readonly elapsed: number | undefined;
  readonly timer: number | undefined;
  /** Whether the session's elapsed time was shorter than its timer time. */
  readonly elapsedWasTooShort: boolean;
}

export interface SessionWindows {
  readonly chained: ChainedFile;
  readonly clock: Clock;
  readonly windows: readonly SessionWindow[];
}

export function sessionWindowsOf(
  chained: ChainedFile,
  fallbackStartInSeconds: number | null,
): SessionWindows {
  const clock = clockOf(chained.sessions, chained.records, chained.activity, fallbackStartInSeconds);
  const sessions = chained.sessions.length > 0 ? chained.sessions : [{}];
  let previousEnd = NaN;
  const windows = sessions.map((session) => {
    const { elapsed, timer, elapsedWasTooShort } = durationsOf(session);
    const { start_time: recorded } = session;
    const startIsRecorded = recorded !== undefined && !isMisplaced(recorded, chained.records);
    const start = startIsRecorded
      ? clock.place(recorded)
      : startWithoutRecorded(session, chained, clock, previousEnd, elapsed);
    const end = start + (elapsed ?? Infinity);
    previousEnd = Number.isFinite(end) ? end : NaN;
    return {
      session,
      hasSession: chained.sessions.length > 0,
      start,
      startIsRecorded,
      end,
      elapsed,
      timer,
      elapsedWasTooShort,
    };
  });
  return { chained, clock, windows };
}

/** Raises the elapsed time to the timer time, which devices measure more reliably. */
function durationsOf(session: Values<typeof SESSION>) {
  const { total_elapsed_time: elapsed, total_timer_time: timer } = session;
  const elapsedWasTooShort = elapsed !== undefined && timer !== undefined && elapsed < timer;
  return { elapsed: elapsedWasTooShort ? timer : (elapsed ?? timer), timer, elapsedWasTooShort };
}

function startWithoutRecorded(
  session: Values<typeof SESSION>,
  chained: ChainedFile,
  clock: Clock,
  previousEnd: number,
  elapsed: number | undefined,
): number {
  if (!Number.isNaN(previousEnd)) return previousEnd;
  if (chained.records.firstTimestamp >= 0) return clock.place(chained.records.firstTimestamp);
  const lapStart = chained.laps.find((lap) => lap.start_time !== undefined)?.start_time;
  if (lapStart !== undefined) return clock.place(lapStart);
  // Without records and laps: the session message was written at the end of the session.
  if (session.timestamp !== undefined) return clock.place(session.timestamp) - (elapsed ?? 0);
  return NaN;
}

/**
 * Returns a function that finds the session of a time: the session whose window contains it, or else the nearest. Of
 * several the one that starts last wins, so that a session ends where the next begins. NaN returns the last result.
 */
export function windowFinder(windows: readonly SessionWindow[]): (time: number) => number {
  if (windows.length === 1) return () => 0;
  const bounds = boundsOf(windows);
  /** For each bound: the session at it, and the session between it and the next. */
  const at = bounds.map((bound) => windowAt(windows, bound));
  const after = bounds.map((bound, i) => windowAt(windows, (bound + (bounds[i + 1] ?? bound + 2)) / 2));
  const before = windowAt(windows, (bounds[0] ?? 0) - 1);
  let current = 0;
  /** Bounds around the last time; an empty interval when it was on a bound. */
  let from = Infinity;
  let until = -Infinity;
  return (time) => {
    if ((time > from && time < until) || Number.isNaN(time)) return current;
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((bounds[middle] ?? Infinity) <= time) low = middle + 1;
      else high = middle;
    }
    const isOnBound = bounds[low - 1] === time;
    from = isOnBound ? Infinity : (bounds[low - 1] ?? -Infinity);
    until = bounds[low] ?? Infinity;
    current = (isOnBound ? at[low - 1] : after[low - 1]) ?? before;
    return current;
  };
}

/** Returns the times where the result can change: starts, ends, and the middle between each two neighbours. */
function boundsOf(windows: readonly SessionWindow[]): number[] {
  const times = new Set(windows.flatMap(({ start, end }) => [start, end]).filter(Number.isFinite));
  const edges = [...times].toSorted((a, b) => a - b);
  return edges.flatMap((edge, i) => {
    const next = edges[i + 1];
    return next === undefined ? [edge] : [edge, (edge + next) / 2];
  });
}

function windowAt(windows: readonly SessionWindow[], time: number): number {
  let found = 0;
  let nearest = Infinity;
  let latestStart = -Infinity;
  for (const [i, { start, end }] of windows.entries()) {
    const distance = time < start ? start - time : Math.max(0, time - end);
    if (distance < nearest || (distance === nearest && start >= latestStart)) {
      nearest = distance;
      latestStart = start;
      found = i;
    }
  }
  return found;
}
