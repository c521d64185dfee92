import { countAtMost } from "./countAtMost.ts";
import { clockOf, isMisplaced, type Clock } from "./clock.ts";
import { placeRuns, type RunPlacement } from "./recordRuns.ts";
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
  /** Whether the session's elapsed time was shorter than its timer time. Both are then the one that is right. */
  readonly elapsedWasTooShort: boolean;
}

export interface SessionWindows {
  readonly chained: ChainedFile;
  readonly clock: Clock;
  readonly windows: readonly SessionWindow[];
  /** Placement of each run of records; empty when no run needs one. */
  readonly placements: readonly RunPlacement[];
}

type Session = Values<typeof SESSION>;

export function sessionWindowsOf(
  chained: ChainedFile,
  fallbackStartInSeconds: number | null,
): SessionWindows {
  const clock = clockOf(chained.sessions, chained.records, chained.activity, fallbackStartInSeconds);
  const isValid = ({ start_time: start }: Session) =>
    start !== undefined && !isMisplaced(start, chained.records);
  const asRecorded = windowsOf(chained, clock, isValid, NaN);
  const end = Math.max(...asRecorded.map((window) => window.end));
  const placements = placeRuns(chained.runs, (timestamp) => clock.place(timestamp), end);
  const { first, last } = spanOf(chained, clock, placements);
  const isPlausible = (session: Session) =>
    isValid(session) && !isAfterItsRecords(session, chained, clock, last);
  const windows =
    chained.sessions.every(isPlausible) && placements.length === 0
      ? asRecorded
      : windowsOf(chained, clock, isPlausible, first);
  return { chained, clock, windows, placements };
}

function windowsOf(
  chained: ChainedFile,
  clock: Clock,
  hasValidStart: (session: Session) => boolean,
  firstRecord: number,
): SessionWindow[] {
  const sessions: readonly Session[] = chained.sessions.length > 0 ? chained.sessions : [{}];
  let previousEnd = NaN;
  return sessions.map((session) => {
    const durations = durationsOf(session);
    const { start_time: recorded } = session;
    const startIsRecorded = recorded !== undefined && hasValidStart(session);
    const start = startIsRecorded
      ? clock.place(recorded)
      : startWithoutRecorded(session, chained, clock, [previousEnd, firstRecord], durations.elapsed);
    const end = start + (durations.elapsed ?? Infinity);
    previousEnd = Number.isFinite(end) ? end : NaN;
    return { session, hasSession: chained.sessions.length > 0, start, startIsRecorded, end, ...durations };
  });
}

/** Returns the first and last time of the records that are in place; NaN without any. */
function spanOf({ runs: { runs } }: ChainedFile, clock: Clock, placements: readonly RunPlacement[]) {
  let [first, last] = [NaN, NaN];
  runs.forEach((run, i) => {
    const { shift = 0, latest = Infinity, isOutlier = false } = placements[i] ?? {};
    if (isOutlier) return;
    if (Number.isNaN(first)) first = clock.place(run.first) + shift;
    const end = Math.min(clock.place(run.last) + shift, latest);
    last = Number.isNaN(last) ? end : Math.max(last, end);
  });
  return { first, last };
}

/** Returns whether a session starts only after all records and after its laps. Such a start is invalid. */
function isAfterItsRecords(
  session: Session,
  { laps }: ChainedFile,
  clock: Clock,
  lastRecord: number,
): boolean {
  const start = clock.place(session.start_time ?? NaN);
  const { first_lap_index: first = 0, num_laps: count = laps.length } = session;
  const isBefore = ({ start_time: lapStart = -Infinity }) => clock.place(lapStart) < start;
  return start > lastRecord && laps.slice(first, first + count).every(isBefore);
}

/** Seconds by which a duration can differ from the difference of two timestamps. */
const ROUNDING_SECONDS = 1;

/**
 * Corrects durations where the timer ran longer than the elapsed time. The elapsed time is raised, because devices measure
 * the timer more reliably, unless the session's start and end confirm the elapsed time and not the timer.
 */
function durationsOf(session: Session) {
  const { total_elapsed_time: elapsed, total_timer_time: timer, start_time, timestamp } = session;
  const elapsedWasTooShort = elapsed !== undefined && timer !== undefined && elapsed < timer;
  if (!elapsedWasTooShort) return { elapsed: elapsed ?? timer, timer, elapsedWasTooShort };
  const span = start_time === undefined || timestamp === undefined ? NaN : timestamp - start_time;
  const isConfirmed =
    Math.abs(span - elapsed) <= ROUNDING_SECONDS && Math.abs(span - timer) > ROUNDING_SECONDS;
  const right = isConfirmed ? elapsed : timer;
  return { elapsed: right, timer: right, elapsedWasTooShort };
}

function startWithoutRecorded(
  session: Values<typeof SESSION>,
  chained: ChainedFile,
  clock: Clock,
  [previousEnd, firstRecord]: readonly [number, number],
  elapsed: number | undefined,
): number {
  if (!Number.isNaN(previousEnd)) return previousEnd;
  if (!Number.isNaN(firstRecord)) return firstRecord;
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
    const next = countAtMost(bounds, time, (bound) => bound);
    const isOnBound = bounds[next - 1] === time;
    from = isOnBound ? Infinity : (bounds[next - 1] ?? -Infinity);
    until = bounds[next] ?? Infinity;
    current = (isOnBound ? at[next - 1] : after[next - 1]) ?? before;
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
