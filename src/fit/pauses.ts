import { countAtMost } from "./countAtMost.ts";
import type { Clock } from "./clock.ts";
import type { ChainedFile } from "./firstPass.ts";
import { GAP_SECONDS, type RecordGap } from "./recordRuns.ts";
import type { SessionWindow } from "./sessionWindows.ts";

/** Time in which the timer was stopped, in seconds since the session's start. */
export interface Pause {
  readonly from: number;
  readonly to: number;
}

/**
 * Returns the pauses of a session in ascending order. Stop and start events of the timer show them. Some devices write no
 * events: when the session's timer is shorter than its elapsed time, the longest gaps between records are the pauses.
 */
export function pausesOf({ timer, gaps }: ChainedFile, clock: Clock, window: SessionWindow): Pause[] {
  const { start, end } = window;
  const stops: Pause[] = [];
  let stoppedAt = NaN;
  for (const { timestamp, running } of timer) {
    const time = Math.min(Math.max(clock.place(timestamp), start), end) - start;
    if (!running && Number.isNaN(stoppedAt)) stoppedAt = time;
    if (running && !Number.isNaN(stoppedAt)) {
      if (time > stoppedAt) stops.push({ from: stoppedAt, to: time });
      stoppedAt = NaN;
    }
  }
  const pauses = merged(stops);
  return merged([...pauses, ...gapsWithoutEvents(window, pauses, gaps, clock)]);
}

/** Returns the paused seconds before a time. */
export function pausedSeconds(pauses: readonly Pause[], until: number): number {
  return pauses.reduce((sum, { from, to }) => sum + Math.max(0, Math.min(to, until) - from), 0);
}

function gapsWithoutEvents(
  { start, end, elapsed, session }: SessionWindow,
  stops: readonly Pause[],
  gaps: readonly RecordGap[],
  clock: Clock,
): Pause[] {
  let unexplained = (elapsed ?? NaN) - (session.total_timer_time ?? NaN) - pausedSeconds(stops, Infinity);
  if (!(unexplained > GAP_SECONDS)) return [];
  // The record before a gap still counts for a second.
  const candidates = gaps
    .map(({ from, to }) => ({ from: clock.place(from) + 1 - start, to: clock.place(to) - start }))
    .filter(({ from, to }) => from >= 0 && to <= end - start + 1)
    .filter((gap) => !isInside(stops, gap))
    .toSorted((one, other) => other.to - other.from - (one.to - one.from));
  const pauses: Pause[] = [];
  for (const gap of candidates) {
    const length = gap.to - gap.from;
    if (unexplained < length / 2) break;
    pauses.push(gap);
    unexplained -= length;
  }
  return pauses;
}

/** Returns whether a gap overlaps one of some pauses. */
function isInside(pauses: readonly Pause[], { from, to }: Pause): boolean {
  const next = pauses[countAtMost(pauses, from, (pause) => pause.to)];
  return next !== undefined && next.from < to;
}

/** Returns pauses in ascending order without overlaps. */
function merged(pauses: readonly Pause[]): Pause[] {
  const result: Pause[] = [];
  for (const pause of pauses.toSorted((one, other) => one.from - other.from)) {
    const last = result.at(-1);
    if (last !== undefined && pause.from <= last.to) {
      result[result.length - 1] = { from: last.from, to: Math.max(last.to, pause.to) };
    } else result.push(pause);
  }
  return result;
}
