import { HEART_RATE, type DeveloperColumn } from "./columns.ts";
import { walk } from "./frame.ts";
import { windowFinder, type SessionWindows } from "./sessionWindows.ts";
import { RecordReader } from "./recordReader.ts";
import { WorkBudget } from "./workBudget.ts";

/** A larger step back, or a time later than the session's end by more than this, is a clock jump. */
const CLOCK_JUMP_SECONDS = 60;
/** Longest pause between records of a session without a duration. A longer step is a clock jump. */
const LONGEST_PAUSE_SECONDS = 86_400;

/** More than any walk costs, because the first pass has counted the work of this one. Fits a small integer. */
const PAID_UNITS = 2 ** 30 - 1;

/**
 * Second pass: reads the rows of a chained file in file order. `visit` gets the index of the row's session and the
 * seconds since that session's start, which never decrease (NaN for a record without a time). Columns with a reader
 * count of 0 have undefined contents. Returns whether the clock jumped.
 */
export function readRows(
  view: DataView,
  { chained, clock, windows }: SessionWindows,
  developerColumns: readonly DeveloperColumn[],
  readerCounts: Uint16Array,
  visit: (session: number, time: number, row: Float64Array) => void,
): boolean {
  const findWindow = windowFinder(windows);
  const { heartRates, messages } = chained;
  /** For each session: the recorded time of its last row, and the time passed to `visit`. */
  const recorded = windows.map(() => NaN);
  const reported = windows.map(() => 0);
  let clockJumped = false;
  const reader = new RecordReader(view, developerColumns, readerCounts, (timestamp, row) => {
    const placed = timestamp < 0 ? NaN : clock.place(timestamp);
    const index = findWindow(placed);
    const window = windows[index];
    if (window === undefined) return;
    if (!heartRates.isEmpty && timestamp >= 0 && Number.isNaN(row[HEART_RATE])) {
      row[HEART_RATE] = heartRates.at(timestamp);
    }
    let time = placed - window.start;
    if (!Number.isNaN(time)) {
      const step = time - (recorded[index] ?? NaN);
      const isAhead =
        window.elapsed === undefined
          ? step > LONGEST_PAUSE_SECONDS
          : step > CLOCK_JUMP_SECONDS && time > window.elapsed + CLOCK_JUMP_SECONDS;
      clockJumped ||= isAhead || step < -CLOCK_JUMP_SECONDS;
      recorded[index] = time;
      time = Math.max(time, reported[index] ?? 0);
      reported[index] = time;
    }
    visit(index, time, row);
  });
  walk(view, messages.start, messages.end, reader, new WorkBudget(PAID_UNITS));
  reader.flush();
  return clockJumped;
}
