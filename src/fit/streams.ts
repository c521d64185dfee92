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
  const collected = [...standardColumns, ...extraColumns];
  const wanted = new Uint16Array(STANDARD_KEYS.length + developerColumns.length);
  for (const column of collected) wanted[column] = 1;
  const table = new Table(collected, partLegs.part.records.count);
  readRows(view, partLegs, developerColumns, wanted, (leg, time, row) => {
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
  private readonly times: Float64Array;
  private readonly columns: readonly Column[];

  /** `indexes`: the columns to keep of each row; `mostRows`: more than this will not come. */
  constructor(indexes: readonly number[], mostRows: number) {
    const capacity = Math.min(mostRows, Math.floor(MAX_CELLS / (indexes.length + 1)));
    this.times = new Float64Array(capacity);
    this.columns = indexes.map((index) => ({
      index,
      readings: new Float64Array(capacity),
      hasReadings: false,
    }));
  }

  add(time: number, row: Float64Array): void {
    if (this.rows === this.times.length) {
      this.thin(
        this.rows >> 1,
        this.columns.map(({ index }) => index),
      );
    }
    this.times[this.rows] = time;
    for (const column of this.columns) {
      const reading = row[column.index] ?? NaN;
      column.readings[this.rows] = reading;
      if (!Number.isNaN(reading)) column.hasReadings = true;
    }
    this.rows++;
  }

  has(index: number): boolean {
    return this.columns.some((column) => column.index === index && column.hasReadings);
  }

  time(): (number | null)[] {
    return listOf(this.times.subarray(0, this.rows), TIME_DECIMALS);
  }

  list(index: number, decimals: number | null): (number | null)[] {
    return listOf(this.readings(index), decimals);
  }

  /** Keeps at most `limit` rows, those with the extremes of these columns. */
  thin(limit: number, indexes: readonly number[]): void {
    if (this.rows <= limit) return;
    const kept = extremes(
      indexes.map((index) => this.readings(index)),
      this.rows,
      limit,
    );
    for (const list of [this.times, ...this.columns.map(({ readings }) => readings)]) {
      kept.forEach((row, i) => (list[i] = list[row] ?? NaN));
    }
    this.rows = kept.length;
    this.isThinned = true;
  }

  private readings(index: number): Float64Array {
    const column = this.columns.find((known) => known.index === index);
    return (column?.readings ?? new Float64Array(0)).subarray(0, this.rows);
  }
}

interface Column {
  readonly index: number;
  readonly readings: Float64Array;
  hasReadings: boolean;
}

function listOf(readings: Float64Array, decimals: number | null): (number | null)[] {
  const list: (number | null)[] = [];
  for (let i = 0; i < readings.length; i++) {
    const reading = readings[i] ?? NaN;
    if (Number.isNaN(reading)) list.push(null);
    else list.push(decimals === null ? reading : rounded(reading, decimals));
  }
  return list;
}
