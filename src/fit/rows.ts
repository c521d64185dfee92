import { HEART_RATE, STANDARD_KEYS } from "./columns.ts";
import { walk } from "./frame.ts";
import { CLOCK_JUMP_SECONDS, isNewRun, LONGEST_PAUSE_SECONDS } from "./recordRuns.ts";
import { RecordReader } from "./recordReader.ts";
import { windowFinder, type SessionWindows } from "./sessionWindows.ts";
import { WorkBudget } from "./workBudget.ts";

/** More than any walk costs, because the first pass has counted the work of this one. Fits a small integer. */
const PAID_UNITS = 2 ** 30 - 1;

/** Returns the number of columns of a row. */
export function columnCountOf({ chained }: SessionWindows): number {
  return STANDARD_KEYS.length + chained.developerFields.columns.length;
}

/**
 * Second pass: reads the rows of a chained file in file order. `visit` gets the index of the row's session and the
 * seconds since that session's start, which never decrease (NaN for a record without a time). Columns with a reader
 * count of 0 have undefined contents. Returns whether the clock jumped.
 */
export function readRows(
  view: DataView,
  { chained, clock, windows, placements }: SessionWindows,
  readerCounts: Uint16Array,
  visit: (session: number, time: number, row: Float64Array) => void,
): boolean {
  const findWindow = windowFinder(windows);
  const { heartRates, messages } = chained;
  /** For each session: the recorded time of its last row, and the time passed to `visit`. */
  const recorded = windows.map(() => NaN);
  const reported = windows.map(() => 0);
  const isRepaired = placements.length > 0;
  let clockJumped = placements.some(({ shift, isOutlier }) => shift !== 0 || isOutlier);
  let run = 0;
  let previous = NaN;
  let session = 0;
  const reader = new RecordReader(view, chained.developerFields, readerCounts, (timestamp, row) => {
    let placed = timestamp < 0 ? NaN : clock.place(timestamp);
    let isOutlier = false;
    if (isRepaired && timestamp >= 0) {
      if (isNewRun(timestamp - previous)) run++;
      previous = timestamp;
      const placement = placements[run];
      if (placement !== undefined) {
        placed = Math.min(placed + placement.shift, placement.latest);
        ({ isOutlier } = placement);
      }
    }
    if (!isOutlier) session = findWindow(placed);
    const window = windows[session];
    if (window === undefined) return;
    if (!heartRates.isEmpty && timestamp >= 0) {
      row[HEART_RATE] = heartRates.at(timestamp, row[HEART_RATE] ?? NaN);
    }
    let time = placed - window.start;
    if (!Number.isNaN(time)) {
      if (!isOutlier) {
        const step = time - (recorded[session] ?? NaN);
        const isAhead =
          window.elapsed === undefined
            ? step > LONGEST_PAUSE_SECONDS
            : step > CLOCK_JUMP_SECONDS && time > window.elapsed + CLOCK_JUMP_SECONDS;
        clockJumped ||= isAhead || step < -CLOCK_JUMP_SECONDS;
        recorded[session] = time;
      }
      const last = reported[session] ?? 0;
      time = isOutlier || time < last ? last : time;
      reported[session] = time;
    }
    visit(session, time, row);
  });
  walk(view, messages.start, messages.end, reader, new WorkBudget(PAID_UNITS));
  reader.flush();
  return clockJumped;
}
