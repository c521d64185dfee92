import { HEART_RATE, type DeveloperColumn } from "./columns.ts";
import { walk } from "./frame.ts";
import { legFinder, type PartLegs } from "./legs.ts";
import { RecordReader } from "./recordReader.ts";
import { Work } from "./work.ts";

/** A clock that goes back by more than this, or leaps over the activity's end by it, has been moved. */
const CLOCK_JUMP_SECONDS = 60;
/** Where the file does not say how long the activity was: no recording pauses longer than this. */
const LONGEST_PAUSE_SECONDS = 86_400;

/** More than any walk over a file costs: the first pass has paid for this one. A small integer, as in the first. */
const PAID_UNITS = 2 ** 30 - 1;

/**
 * The second pass: the rows of a part in file order, each with its leg and its time since the leg's start,
 * which never decreases (NaN: the record has no time). Columns whose `wanted` is 0 may hold anything.
 * Returns whether the clock jumped.
 */
export function readRows(
  view: DataView,
  { part, clock, legs }: PartLegs,
  developerColumns: readonly DeveloperColumn[],
  wanted: Uint16Array,
  take: (leg: number, time: number, row: Float64Array) => void,
): boolean {
  const findLeg = legFinder(legs);
  const { heartRates, segment } = part;
  /** Of the leg's last row: its time as recorded, and the time given out, which never decreases. */
  const recorded = legs.map(() => NaN);
  const given = legs.map(() => 0);
  let clockJumped = false;
  const reader = new RecordReader(view, developerColumns, wanted, (timestamp, row) => {
    const placed = timestamp < 0 ? NaN : clock.place(timestamp);
    const index = findLeg(placed);
    const leg = legs[index];
    if (leg === undefined) return;
    if (!heartRates.isEmpty && timestamp >= 0 && Number.isNaN(row[HEART_RATE])) {
      row[HEART_RATE] = heartRates.at(timestamp);
    }
    let time = placed - leg.start;
    if (!Number.isNaN(time)) {
      const step = time - (recorded[index] ?? NaN);
      const isAhead =
        leg.elapsed === undefined
          ? step > LONGEST_PAUSE_SECONDS
          : step > CLOCK_JUMP_SECONDS && time > leg.elapsed + CLOCK_JUMP_SECONDS;
      clockJumped ||= isAhead || step < -CLOCK_JUMP_SECONDS;
      recorded[index] = time;
      time = Math.max(time, given[index] ?? 0);
      given[index] = time;
    }
    take(index, time, row);
  });
  walk(view, segment.start, segment.end, reader, new Work(PAID_UNITS));
  reader.flush();
  return clockJumped;
}
