import { HEART_RATE, type DeveloperColumn } from "./columns.ts";
import { walk } from "./frame.ts";
import { legFinder, type PartLegs } from "./legs.ts";
import { RecordReader } from "./recordReader.ts";

/** A clock that moves by more than this against the file's order, or past the activity's end, has jumped. */
const CLOCK_JUMP_SECONDS = 60;

/**
 * The second pass: the rows of a part in file order, each with its leg and its time since the leg's start,
 * which never decreases (NaN: the record has no time). Returns whether the clock jumped.
 */
export function readRows(
  view: DataView,
  { part, clock, legs }: PartLegs,
  developerColumns: readonly DeveloperColumn[],
  take: (leg: number, time: number, row: Float64Array) => void,
): boolean {
  const findLeg = legFinder(legs);
  const { heartRates, segment } = part;
  const latest = legs.map(() => 0);
  let clockJumped = false;
  const reader = new RecordReader(view, developerColumns, (timestamp, row) => {
    const placed = timestamp < 0 ? NaN : clock.place(timestamp);
    const index = findLeg(placed);
    const leg = legs[index];
    if (leg === undefined) return;
    if (!heartRates.isEmpty && timestamp >= 0 && Number.isNaN(row[HEART_RATE])) {
      row[HEART_RATE] = heartRates.at(timestamp);
    }
    let time = placed - leg.start;
    if (!Number.isNaN(time)) {
      const last = latest[index] ?? 0;
      const end = leg.elapsed ?? Infinity;
      const isBack = time < last - CLOCK_JUMP_SECONDS;
      const isAhead = time > Math.max(end, last) + CLOCK_JUMP_SECONDS;
      clockJumped ||= isBack || isAhead;
      time = Math.max(time, last);
      latest[index] = time;
    }
    take(index, time, row);
  });
  walk(view, segment.start, segment.end, reader);
  reader.flush();
  return clockJumped;
}
