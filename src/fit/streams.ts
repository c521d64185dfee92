import { developerColumnsOf, LATITUDE, LONGITUDE, sourceOf, STANDARD_KEYS, TIME_KEY } from "./columns.ts";
import { extremes } from "./extremes.ts";
import type { PartLegs } from "./legs.ts";
import { readRows } from "./rows.ts";
import type { Streams, StreamsOptions } from "./types.ts";
import { rounded } from "./values.ts";

/** Numbers held while columns are built, 8 bytes each: a week of ten columns, one row a second. */
const MAX_CELLS = 6_000_000;
/** A degree of latitude is 111 km: this is a centimetre, the step of the wire. */
const DEGREE_DECIMALS = 7;
const TIME_DECIMALS = 3;

/**
 * The columns of one leg. More rows than memory allows are thinned as a `resolution` would, and marked so.
 */
export function streamsOf(
  view: DataView,
  partLegs: PartLegs,
  legIndex: number,
  { keys, resolution }: Pick<StreamsOptions, "keys" | "resolution">,
): Streams {
  const developerColumns = developerColumnsOf(partLegs.part);
  const isWanted = (key: string) => keys === null || keys.includes(key);
  const standardColumns = STANDARD_KEYS.flatMap((key, column) => (isWanted(key) ? [column] : []));
  const extraColumns = developerColumns.flatMap(({ key, standsInFor }, i) =>
    isWanted(key) || (standsInFor !== null && standardColumns.includes(standsInFor))
      ? [STANDARD_KEYS.length + i]
      : [],
  );
  const table = new Table([...standardColumns, ...extraColumns], partLegs.part.records.count);
  readRows(view, partLegs, developerColumns, (leg, time, row) => {
    if (leg === legIndex) table.add(time, row);
  });

  const sources = new Map<string, number>();
  for (const column of standardColumns) {
    const source = sourceOf(column, developerColumns, (candidate) => table.has(candidate));
    if (table.has(source)) sources.set(STANDARD_KEYS[column] ?? "", source);
  }
  developerColumns.forEach(({ key }, i) => {
    const column = STANDARD_KEYS.length + i;
    if (isWanted(key) && table.has(column)) sources.set(key, column);
  });
  if (resolution !== null) table.thin(resolution, [...new Set(sources.values())]);

  const columns: Streams["columns"] = {};
  if (isWanted(TIME_KEY) && table.rows > 0) columns[TIME_KEY] = table.time();
  for (const [key, source] of sources) {
    columns[key] = table.list(source, source === LATITUDE || source === LONGITUDE ? DEGREE_DECIMALS : null);
  }
  return { downsampled: table.isThinned, columns };
}

/** Rows as columns, NaN where there is no reading. */
class Table {
  rows = 0;
  isThinned = false;
  private readonly indexes: readonly number[];
  private readonly times: Float64Array;
  private readonly columns: readonly Float64Array[];

  /** `indexes`: the columns to keep of each row; `mostRows`: more than this will not come. */
  constructor(indexes: readonly number[], mostRows: number) {
    const capacity = Math.min(mostRows, Math.floor(MAX_CELLS / (indexes.length + 1)));
    this.indexes = indexes;
    this.times = new Float64Array(capacity);
    this.columns = indexes.map(() => new Float64Array(capacity));
  }

  add(time: number, row: Float64Array): void {
    if (this.rows === this.times.length) this.thin(this.rows >> 1, this.indexes);
    const { rows, indexes, columns } = this;
    this.times[rows] = time;
    for (let i = 0; i < indexes.length; i++) {
      const column = columns[i];
      if (column !== undefined) column[rows] = row[indexes[i] ?? 0] ?? NaN;
    }
    this.rows++;
  }

  has(index: number): boolean {
    return this.column(index).some((reading) => !Number.isNaN(reading));
  }

  time(): (number | null)[] {
    return listOf(this.times.subarray(0, this.rows), TIME_DECIMALS);
  }

  list(index: number, decimals: number | null): (number | null)[] {
    return listOf(this.column(index), decimals);
  }

  /** Keeps at most `limit` rows, those with the extremes of these columns. */
  thin(limit: number, indexes: readonly number[]): void {
    if (this.rows <= limit) return;
    const kept = extremes(
      indexes.map((index) => this.column(index)),
      this.rows,
      limit,
    );
    for (const column of [this.times, ...this.columns]) {
      kept.forEach((row, i) => (column[i] = column[row] ?? NaN));
    }
    this.rows = kept.length;
    this.isThinned = true;
  }

  private column(index: number): Float64Array {
    return (this.columns[this.indexes.indexOf(index)] ?? this.times).subarray(0, this.rows);
  }
}

function listOf(readings: Float64Array, decimals: number | null): (number | null)[] {
  return Array.from(readings, (reading) => {
    if (decimals !== null) return rounded(reading, decimals);
    return Number.isNaN(reading) ? null : reading;
  });
}
