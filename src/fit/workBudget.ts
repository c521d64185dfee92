/**
 * Maximum work of a file, in units of about 10 ns. The first pass counts it, including the work of the second pass, and
 * ends the file where the budget is used up. An import and the streams of a file therefore end at the same message.
 * Units instead of time: the same bytes always decode to the same activities.
 *
 * Files of 32 MiB full of values stay below: 3,000,000 records of 8 fields in 11 bytes use 57,000,000 units, 480,000
 * records of 64 developer fields 55,000,000.
 */
export const FILE_UNITS = 64_000_000;
/** Maximum work of a file that is decoded into activities and all their streams in one call. */
export const UNITS_WITH_STREAMS = FILE_UNITS / 4;

/** Walk over one message. */
export const MESSAGE_UNITS = 1;
/** Conversion of a record to a row: its session, its totals, and normalized power. */
export const RECORD_UNITS = 10;
/** A record earlier than the one before: binary searches for its session and its stored heart rate. */
export const LEAP_UNITS = 60;
/** A record some time after the one before: pauses and normalized power take longer. */
export const GAP_UNITS = 20;
/** Compilation of a definition, in two passes. */
export const DEFINITION_UNITS = 100;
/** One field of a definition. */
export const PLACED_FIELD_UNITS = 10;
/** Decoding of a message other than a record to an object. */
export const SUMMARY_UNITS = 40;
/** Decoding of a text. */
export const TEXT_UNITS = 40;
/** Cell of a developer field in a row, also without a reading. */
export const CELL_UNITS = 0.6;

/** A message with beat-to-beat intervals, and one of its intervals, in all passes. */
export const RR_MESSAGE_UNITS = 10;
export const RR_INTERVAL_UNITS = 4;
/** A record of a file with beat-to-beat intervals: two more passes place the intervals by the records. */
export const RR_RECORD_UNITS = 4;

/** More than any walk costs whose work is already counted. Fits a small integer. */
const PAID_UNITS = 2 ** 30 - 1;

/** Remaining work units. */
export class WorkBudget {
  /** Returns a budget for another walk over a file, the work of which the first pass has counted. */
  static paid(): WorkBudget {
    return new WorkBudget(PAID_UNITS);
  }

  left: number;

  constructor(units: number = FILE_UNITS) {
    this.left = units;
  }
}
