import { legFinder, type PartLegs } from "./legs.ts";
import type { LAP, LENGTH, Values } from "./profile.ts";

type Lap = Values<typeof LAP>;
type Length = Values<typeof LENGTH>;

export interface LegLaps {
  readonly laps: Lap[];
  /** `lapIndex` counts among the leg's laps. */
  readonly lengths: { readonly length: Length; readonly lapIndex: number | null }[];
}

/** The two upper bits of a message index are flags. */
const MESSAGE_INDEX_MASK = 0x0fff;

/** The laps and lengths of each leg of a part, in file order. */
export function lapsOf(partLegs: PartLegs): LegLaps[] {
  const { part, clock, legs } = partLegs;
  const result: LegLaps[] = legs.map(() => ({ laps: [], lengths: [] }));
  const legAt = legFinder(legs);
  const startOf = ({ start_time, timestamp, total_elapsed_time = 0 }: Lap | Length) => {
    if (start_time !== undefined) return clock.place(start_time);
    return timestamp === undefined ? NaN : clock.place(timestamp) - total_elapsed_time;
  };

  const lapStarts = part.laps.map(startOf);
  const legOfLap = legsByLapIndex(partLegs) ?? lapStarts.map(legAt);
  const indexInLeg = part.laps.map((lap, i) => (result[legOfLap[i] ?? 0]?.laps.push(lap) ?? 1) - 1);

  const lapOfLength = lapsByLengthIndex(part.laps, part.lengths.length);
  part.lengths.forEach((length, position) => {
    const index = length.message_index === undefined ? position : length.message_index & MESSAGE_INDEX_MASK;
    const start = startOf(length);
    const lap = lapOfLength[index] ?? lastAtOrBefore(lapStarts, start);
    const leg = legOfLap[lap] ?? legAt(start);
    result[leg]?.lengths.push({ length, lapIndex: indexInLeg[lap] ?? null });
  });
  return result;
}

/** The leg of each lap by the sessions' first_lap_index and num_laps; null unless those cover all laps. */
function legsByLapIndex({ part, legs }: PartLegs): number[] | null {
  if (legs.length === 1) return part.laps.map(() => 0);
  const legOfLap: number[] = [];
  for (const [leg, { session }] of legs.entries()) {
    const { first_lap_index: first, num_laps: count } = session;
    if (first !== legOfLap.length || count === undefined || first + count > part.laps.length) return null;
    for (let i = 0; i < count; i++) legOfLap.push(leg);
  }
  return legOfLap.length === part.laps.length ? legOfLap : null;
}

/** The lap of each length by the laps' first_length_index and num_lengths; the first claim stands. */
function lapsByLengthIndex(laps: readonly Lap[], lengthCount: number): (number | undefined)[] {
  const lapOfLength: (number | undefined)[] = Array.from({ length: lengthCount });
  laps.forEach(({ first_length_index: first, num_lengths: count }, lap) => {
    if (first === undefined || count === undefined) return;
    const end = Math.min(first + count, lengthCount);
    for (let i = first; i < end && lapOfLength[i] === undefined; i++) lapOfLength[i] = lap;
  });
  return lapOfLength;
}

/** The index of the last time not after `time`, in a list that ascends; -1 when there is none. */
function lastAtOrBefore(times: readonly number[], time: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? Infinity) <= time) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
