import { clockOf, isMisplaced, type Clock } from "./clock.ts";
import type { SESSION, Values } from "./profile.ts";
import type { Part } from "./survey.ts";

/** One activity to be: a session of a part, or the part itself when its records have no session. */
export interface Leg {
  readonly session: Values<typeof SESSION>;
  readonly hasSession: boolean;
  /** On the part's timeline; NaN when the file has no time for it. */
  readonly start: number;
  /** The session itself says when it began. */
  readonly startIsRecorded: boolean;
  /** Start plus elapsed; Infinity when the file does not say how long. */
  readonly end: number;
  readonly elapsed: number | undefined;
  readonly timer: number | undefined;
  /** The file says that the timer ran longer than the activity lasted. */
  readonly elapsedWasTooShort: boolean;
}

export interface PartLegs {
  readonly part: Part;
  readonly clock: Clock;
  readonly legs: readonly Leg[];
}

export function legsOf(part: Part, fallbackStartInSeconds: number | null): PartLegs {
  const clock = clockOf(part.sessions, part.records, part.activity, fallbackStartInSeconds);
  const sessions = part.sessions.length > 0 ? part.sessions : [{}];
  let previousEnd = NaN;
  const legs = sessions.map((session) => {
    const { elapsed, timer, elapsedWasTooShort } = durationsOf(session);
    const { start_time: recorded } = session;
    const startIsRecorded = recorded !== undefined && !isMisplaced(recorded, part.records);
    const start = startIsRecorded
      ? clock.place(recorded)
      : startWithoutRecorded(session, part, clock, previousEnd, elapsed);
    const end = start + (elapsed ?? Infinity);
    previousEnd = Number.isFinite(end) ? end : NaN;
    return {
      session,
      hasSession: part.sessions.length > 0,
      start,
      startIsRecorded,
      end,
      elapsed,
      timer,
      elapsedWasTooShort,
    };
  });
  return { part, clock, legs };
}

/** An activity lasts at least as long as its timer ran; the timer is what devices get right. */
function durationsOf(session: Values<typeof SESSION>) {
  const { total_elapsed_time: elapsed, total_timer_time: timer } = session;
  const elapsedWasTooShort = elapsed !== undefined && timer !== undefined && elapsed < timer;
  return { elapsed: elapsedWasTooShort ? timer : (elapsed ?? timer), timer, elapsedWasTooShort };
}

function startWithoutRecorded(
  session: Values<typeof SESSION>,
  part: Part,
  clock: Clock,
  previousEnd: number,
  elapsed: number | undefined,
): number {
  if (!Number.isNaN(previousEnd)) return previousEnd;
  if (part.records.firstTimestamp >= 0) return clock.place(part.records.firstTimestamp);
  const lapStart = part.laps.find((lap) => lap.start_time !== undefined)?.start_time;
  if (lapStart !== undefined) return clock.place(lapStart);
  // Without records and laps, the summary was written at the end.
  if (session.timestamp !== undefined) return clock.place(session.timestamp) - (elapsed ?? 0);
  return NaN;
}

/**
 * The leg that a time belongs to: the one whose window holds it, else the nearest; of several, the one that
 * began last, so that a leg ends as the next begins. Without a time: the leg of what came before it.
 */
export function legFinder(legs: readonly Leg[]): (time: number) => number {
  if (legs.length === 1) return () => 0;
  const bounds = boundsOf(legs);
  /** Of each bound: the leg at it, and the leg from there to the next. */
  const at = bounds.map((bound) => legAt(legs, bound));
  const after = bounds.map((bound, i) => legAt(legs, (bound + (bounds[i + 1] ?? bound + 2)) / 2));
  const before = legAt(legs, (bounds[0] ?? 0) - 1);
  let current = 0;
  /** The bounds before and after the time looked up last; none when that lay on a bound itself. */
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

/** Where the answer can change: at starts and ends, and halfway between each two neighbours. */
function boundsOf(legs: readonly Leg[]): number[] {
  const times = new Set(legs.flatMap(({ start, end }) => [start, end]).filter(Number.isFinite));
  const edges = [...times].toSorted((a, b) => a - b);
  return edges.flatMap((edge, i) => {
    const next = edges[i + 1];
    return next === undefined ? [edge] : [edge, (edge + next) / 2];
  });
}

function legAt(legs: readonly Leg[], time: number): number {
  let found = 0;
  let nearest = Infinity;
  let latestStart = -Infinity;
  for (const [i, { start, end }] of legs.entries()) {
    const distance = time < start ? start - time : Math.max(0, time - end);
    if (distance < nearest || (distance === nearest && start >= latestStart)) {
      nearest = distance;
      latestStart = start;
      found = i;
    }
  }
  return found;
}
