import { HEART_RATE, STANDARD_KEYS } from "./columns.ts";
import { walk } from "./frame.ts";
import { RecordReader } from "./recordReader.ts";
import type { SessionWindows } from "./sessionWindows.ts";
import { Timeline } from "./timeline.ts";
import { WorkBudget } from "./workBudget.ts";

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
  sessionWindows: SessionWindows,
  readerCounts: Uint16Array,
  visit: (session: number, time: number, row: Float64Array) => void,
): boolean {
  const { heartRates, messages, developerFields } = sessionWindows.chained;
  const timeline = new Timeline(sessionWindows);
  const hasHeartRates = !heartRates.isEmpty;
  const reader = new RecordReader(view, developerFields, readerCounts, (timestamp, row) => {
    timeline.place(timestamp);
    if (hasHeartRates && timestamp >= 0) row[HEART_RATE] = heartRates.at(timestamp, row[HEART_RATE] ?? NaN);
    visit(timeline.session, timeline.time, row);
  });
  walk(view, messages.start, messages.end, reader, WorkBudget.paid());
  reader.flush();
  return timeline.clockJumped;
}
