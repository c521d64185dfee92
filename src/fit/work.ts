/**
 * The work that a file may cost, in units of about 10 ns. The first pass counts it and ends the file where it is
 * used up. It counts for the second pass too, which reads nothing that the first one did not pay for: an import
 * and the streams of a file therefore end at the same message. Time plays no part, so the same bytes always
 * decode to the same activities.
 *
 * Files of 32 MiB whose fields all hold values stay below: 3,000,000 records of 8 fields in 11 bytes use
 * 57,000,000 units, 480,000 records of 64 developer fields 55,000,000.
 */
export const FILE_UNITS = 64_000_000;
/** A file that costs more is not decoded into activities and all their streams at once. */
export const UNITS_WITH_STREAMS = FILE_UNITS / 4;

/** The walk over one message. */
export const MESSAGE_UNITS = 1;
/** A record becomes a row: its leg, its totals, and up to 10 seconds that it holds for normalized power. */
export const RECORD_UNITS = 10;
/** A record earlier than the one before: its session and its stored heart rate are searched for. */
export const LEAP_UNITS = 60;
/** A definition is compiled, at most twice. */
export const DEFINITION_UNITS = 100;
/** One field of a definition. */
export const PLACED_FIELD_UNITS = 10;
/** A message other than a record becomes an object. */
export const SUMMARY_UNITS = 40;
/** A text of a message. */
export const TEXT_UNITS = 40;
/** The place of a developer field in a row, with a reading in it or not. */
export const CELL_UNITS = 0.6;

/** What is left of it. */
export class Work {
  left: number;

  constructor(units: number = FILE_UNITS) {
    this.left = units;
  }
}
