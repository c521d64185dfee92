import { countAtMost } from "./countAtMost.ts";
import type { Clock } from "./clock.ts";
import { windowFinder, type SessionWindows } from "./sessionWindows.ts";
import { MESSAGE_INDEX_MASK, type LAP, type LENGTH, type Values } from "./profile.ts";

type Lap = Values<typeof LAP>;
type Length = Values<typeof LENGTH>;

export interface SessionLaps {
  readonly laps: Lap[];
  /** `lapIndex` counts the laps of the session. */
  readonly lengths: { readonly length: Length; readonly lapIndex: number | null }[];
}

/** Returns the start of a lap or length, or else its end minus its duration, on the clock's timeline; NaN for unknown. */
export function startOf(message: Lap | Length, clock: Clock): number {
  const { start_time: start, timestamp, total_elapsed_time: elapsed, total_timer_time: timer } = message;
  if (start !== undefined) return clock.place(start);
  return timestamp === undefined ? NaN : clock.place(timestamp) - (elapsed ?? timer ?? NaN);
}

function startOrEndOf(message: Lap | Length, clock: Clock): number {
  const start = startOf(message, clock);
  return Number.isNaN(start) ? clock.place(message.timestamp ?? NaN) : start;
}

/** Assigns the laps and lengths of a chained file to its sessions, in file order. */
export function lapsOf(sessionWindows: SessionWindows): SessionLaps[] {
  const { chained, clock, windows } = sessionWindows;
  const result: SessionLaps[] = windows.map(() => ({ laps: [], lengths: [] }));
  const windowAt = windowFinder(windows);
  const lapStarts = chained.laps.map((lap) => startOrEndOf(lap, clock));
  const windowOfLap = windowsByLapIndex(sessionWindows) ?? lapStarts.map(windowAt);
  const indexInWindow = chained.laps.map((lap, i) => (result[windowOfLap[i] ?? 0]?.laps.push(lap) ?? 1) - 1);

  const lapOfLength = lapsByLengthIndex(chained.laps, chained.lengths.length);
  chained.lengths.forEach((length, position) => {
    const index = length.message_index === undefined ? position : length.message_index & MESSAGE_INDEX_MASK;
    const start = startOrEndOf(length, clock);
    const lap = lapOfLength[index] ?? countAtMost(lapStarts, start, (lapStart) => lapStart) - 1;
    const window = windowOfLap[lap] ?? windowAt(start);
    result[window]?.lengths.push({ length, lapIndex: indexInWindow[lap] ?? null });
  });
  return result;
}

/** Returns each lap's session by `first_lap_index` and `num_laps` of the sessions; null unless they cover all laps. */
function windowsByLapIndex({ chained, windows }: SessionWindows): number[] | null {
  if (windows.length === 1) return chained.laps.map(() => 0);
  const windowOfLap: number[] = [];
  for (const [window, { session }] of windows.entries()) {
    const { first_lap_index: first, num_laps: count } = session;
    if (first !== windowOfLap.length || count === undefined || first + count > chained.laps.length)
      return null;
    for (let i = 0; i < count; i++) windowOfLap.push(window);
  }
  return windowOfLap.length === chained.laps.length ? windowOfLap : null;
}

/** Returns each length's lap by `first_length_index` and `num_lengths` of the laps. The first lap that names it wins. */
function lapsByLengthIndex(laps: readonly Lap[], lengthCount: number): (number | undefined)[] {
  const lapOfLength: (number | undefined)[] = Array.from({ length: lengthCount });
  laps.forEach(({ first_length_index: first, num_lengths: count }, lap) => {
    if (first === undefined || count === undefined) return;
    const end = Math.min(first + count, lengthCount);
    for (let i = first; i < end && lapOfLength[i] === undefined; i++) lapOfLength[i] = lap;
  });
  return lapOfLength;
}
