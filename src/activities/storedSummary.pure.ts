import { count, numberOrNull, text, textOrNull } from "../database/parse.ts";
import { QUANTITY_NAMES, quantities } from "../fit/quantities.ts";
import { OFFSET_SOURCES, summaryFields, type OffsetSource } from "../fit/summaryFields.ts";
import { STREAM_KEYS, type ActivitySummary } from "./activity.ts";
import { loadLine, parseLoadLine, type StoredLoad } from "./storedLoad.pure.ts";

/**
 * An activity's summary as one column of D1: five lines with its own fields, the quantities, `derived`, `streams`, and what
 * its training load is computed from.
 * Fields are JSON at fixed positions, between tabs. Null and false are written as nothing.
 *
 * Rows outlive releases: a reader ignores positions that it does not know, and reads missing ones as null. So a new field
 * goes to the end of `summaryFields`, of `quantities` or of `STREAM_KEYS`, and no field moves.
 */
const LINE_END = "\n";
const FIELD_END = "\t";

/** Fields that have columns of their own. */
const COLUMNS = ["session_index", "sport", "start_time_in_seconds"] as const;
/** `local_date` follows from start and offset, `training_load` from the other fields. */
export type StoredFields = Omit<ActivitySummary, (typeof COLUMNS)[number] | "local_date" | "training_load"> &
  StoredLoad;

/** Returns the activity's own fields by position; `next` returns the stored value of the next position, or null. */
const ownFields = (next: () => unknown) => ({
  session_count: count(next()),
  sub_sport: textOrNull(next()),
  ...summaryFields(
    () => numberOrNull(next()),
    () => textOrNull(next()),
    () => next() === true,
    () => offsetSourceOrNull(next()),
  ),
});
function offsetSourceOrNull(stored: unknown): OffsetSource | null {
  return OFFSET_SOURCES.find((source) => source === stored) ?? null;
}
const OWN_NAMES = Object.keys(ownFields(() => null));

/** Names that the lists write as a letter and a position. Other names are written in full. */
const PAIRS = Object.entries({ c: COLUMNS, o: OWN_NAMES, q: QUANTITY_NAMES, s: STREAM_KEYS }).flatMap(
  ([letter, names]) => names.map((name, position) => [name, letter + position.toString(36)] as const),
);
const REFERENCES = new Map(PAIRS);
/** Every reference is readable, also those of a name that is both a quantity and a stream. */
const REFERENCED = new Map(PAIRS.map(([name, reference]) => [reference, name]));

/** Maximum size of the summaries of all activities of a file. */
export const MAX_SUMMARY_BYTES = 256 * 1024;
/** Maximum number of bytes of a UTF-16 unit in UTF-8. */
const BYTES_PER_UNIT = 3;

function valuesLine(names: readonly string[], fields: Readonly<Record<string, unknown>>): string {
  const values = names.map((name) => {
    const value = fields[name];
    return value === null || value === false ? "" : JSON.stringify(value);
  });
  return values.join(FIELD_END).trimEnd();
}

const referenceTo = (name: string) => REFERENCES.get(name) ?? JSON.stringify(name);

/**
 * Returns the summary as it is stored. Omits the last names of `streams` when the file's activities could take more than
 * `MAX_SUMMARY_BYTES` together; partners can still read these streams by their names.
 */
export function storedSummary(summary: StoredFields): string {
  const fields = { ...summary };
  const lines = [
    valuesLine(OWN_NAMES, fields),
    valuesLine(QUANTITY_NAMES, fields),
    summary.derived.map(referenceTo).join(FIELD_END),
  ].join(LINE_END);
  const load = loadLine(summary, summary.threshold_power_in_watts);
  let units =
    MAX_SUMMARY_BYTES / BYTES_PER_UNIT / Math.max(1, summary.session_count) - lines.length - load.length;
  const streams = summary.streams.map(referenceTo).filter((reference) => {
    units -= reference.length + 1;
    return units >= 0;
  });
  return (lines + LINE_END + streams.join(FIELD_END) + LINE_END + load).trimEnd();
}

/** Returns a function that returns the line's next value, or null after the last one. */
function valuesOf(line = ""): () => unknown {
  const values = line.split(FIELD_END);
  let position = 0;
  return () => {
    const value = values[position] ?? "";
    position += 1;
    return value === "" ? null : JSON.parse(value);
  };
}

/** Returns the names of a list. Omits references to fields of newer releases. */
function namesOf(line = ""): string[] {
  if (line === "") return [];
  return line
    .split(FIELD_END)
    .flatMap((name) => (name.startsWith('"') ? text(JSON.parse(name)) : (REFERENCED.get(name) ?? [])));
}

/** Returns the fields of a stored summary. Any release may have written it. */
export function parseSummary(stored: string): StoredFields {
  const [own, measured, derived, streams, load] = stored.split(LINE_END);
  const nextQuantity = valuesOf(measured);
  const ownValues = ownFields(valuesOf(own));
  return {
    ...ownValues,
    ...parseLoadLine(load, ownValues.threshold_power_in_watts),
    ...quantities(() => numberOrNull(nextQuantity())),
    derived: namesOf(derived),
    streams: namesOf(streams),
  };
}
