import { LATITUDE, LONGITUDE, possibleColumns, STANDARD_KEYS, TIME_KEY } from "./columns.ts";
import { sourceOf, type DeveloperColumn } from "./developerFields.ts";
import { extremes, fewerExtremes } from "./extremes.ts";
import type { SessionWindows } from "./sessionWindows.ts";
import { columnCountOf, readRows } from "./rows.ts";
import type { ChainedFile } from "./firstPass.ts";
import type { Streams, StreamsOptions } from "./types.ts";
import { converted } from "./units.ts";
import { rounded } from "./values.ts";

/** Maximum numbers in one table, 8 bytes each. A longer file is read several times, some columns at a time. */
const TABLE_CELLS = 2_000_000;
const TABLE_CELL_BYTES = 8;
/** Bytes for one number in a response: in a list, often boxed, then in the JSON text and in its bytes. */
export const ANSWER_CELL_BYTES = 24;
/** Maximum numbers in one response: 55 hours of ten columns at one row per second. With their JSON they use up to half of an isolate's memory. */
export const ANSWER_CELLS = 2_000_000;
/** Maximum work units of all passes over a file for one response. */
const ANSWER_UNITS = 150_000_000;
/** Minimum rows of each activity in a downsampled response with several activities. */
const LEAST_ROWS = 100;
/** 1 cm, the resolution of FIT positions: a degree of latitude is 111 km. */
const DEGREE_DECIMALS = 7;
const TIME_DECIMALS = 3;
/** Column number of the time, which is not part of rows. */
const TIME = -1;

type List = (number | null)[];
type RowVisitor = (session: number, time: number, row: Float64Array) => void;

/** Called before this many bytes are allocated for tables and columns. May throw to prevent it. */
export type BeforeAllocating = (bytes: number) => void;

/** Returns how many numbers a response with all columns of a chained file has at most. */
export function cellsOf({ chained }: SessionWindows): number {
  return chained.records.count * columnsOf(chained, null).columns.length;
}

/**
 * Decodes the streams of some sessions of a chained file together. Rows beyond the limit of a response are downsampled as
 * with a `resolution`. `share` is the fraction of the limit that these sessions may use.
 */
export function streamsOf(
  view: DataView,
  sessionWindows: SessionWindows,
  sessionIndexes: readonly number[],
  { keys, resolution }: Pick<StreamsOptions, "keys" | "resolution">,
  beforeAllocating: BeforeAllocating,
  share = 1,
): Streams[] {
  const { columns, namedOf } = columnsOf(sessionWindows.chained, keys);
  const readRowsOf = (some: readonly number[], visit: RowVisitor) => {
    const readerCounts = new Uint16Array(columnCountOf(sessionWindows));
    for (const column of some) if (column !== TIME) readerCounts[column] = 1;
    readRows(view, sessionWindows, readerCounts, visit);
  };
  const plan = planOf(sessionWindows.chained, columns.length, resolution, share);
  const capacities =
    sessionIndexes.length === 1
      ? [Math.min(sessionWindows.chained.records.count, plan.capacity)]
      : capacitiesOf(sessionWindows, sessionIndexes, plan, (visit) => readRowsOf(columns, visit));
  const answerRows = sumOf(capacities.map((rows) => Math.min(rows, resolution ?? rows)));
  beforeAllocating(
    TABLE_CELL_BYTES * plan.atATime * sumOf(capacities) + ANSWER_CELL_BYTES * columns.length * answerRows,
  );

  // All tables share these buffers, because the garbage collector does not always free unused ones in time.
  const buffers = Array.from({ length: plan.atATime }, () => new Float64Array(sumOf(capacities)));
  const found = sessionIndexes.map(() => ({ lists: new Map<number, List>(), isDownsampled: false }));
  for (let from = 0; from < columns.length; from += plan.atATime) {
    const some = columns.slice(from, from + plan.atATime);
    const tables = tablesOf(some, buffers, capacities);
    const tableOfWindow = sessionWindows.windows.map((_, index) => tables[sessionIndexes.indexOf(index)]);
    readRowsOf(some, (index, time, row) => tableOfWindow[index]?.add(time, row));
    tables.forEach((table, i) => {
      const into = found[i];
      if (into === undefined) return;
      if (resolution !== null) table.downsample(resolution);
      table.addListsTo(into.lists);
      into.isDownsampled = table.isDownsampled;
    });
  }
  return found.map(({ lists, isDownsampled }) => ({ downsampled: isDownsampled, columns: namedOf(lists) }));
}

/**
 * Returns the columns to read for these keys (null for all), without those that no record of the file defines, and a
 * function that names the lists read from them.
 */
function columnsOf(
  { developerFields, recordFields, heartRates }: ChainedFile,
  keys: readonly string[] | null,
) {
  const developerColumns = developerFields.columns;
  const possible = possibleColumns(recordFields, !heartRates.isEmpty);
  const isRequested = (key: string) => keys === null || keys.includes(key);
  const standard = STANDARD_KEYS.flatMap((key, column) => (isRequested(key) ? [column] : []));
  const developer = developerColumns.flatMap(({ key, replacesColumn }, i) =>
    isRequested(key) || (replacesColumn !== null && standard.includes(replacesColumn))
      ? [STANDARD_KEYS.length + i]
      : [],
  );
  const namedOf = (lists: ReadonlyMap<number, List>): Streams["columns"] => {
    const named: { key: string; list: List | undefined }[] = [{ key: TIME_KEY, list: lists.get(TIME) }];
    for (const column of standard) {
      const source = sourceOf(
        column,
        developerColumns,
        (candidate) => lists.has(candidate),
        (candidate) => lists.get(candidate)?.some((reading) => reading !== null && reading !== 0) ?? false,
      );
      const developer = developerColumns[source - STANDARD_KEYS.length];
      const list = lists.get(source);
      named.push({
        key: STANDARD_KEYS[column] ?? "",
        list: developer === undefined ? list : inUnit(developer, list),
      });
    }
    developerColumns.forEach(({ key }, i) => {
      if (isRequested(key)) named.push({ key, list: lists.get(STANDARD_KEYS.length + i) });
    });
    return Object.fromEntries(named.flatMap(({ key, list }) => (list === undefined ? [] : [[key, list]])));
  };
  const defined = standard.filter((column) => possible[column]);
  return { columns: [...(isRequested(TIME_KEY) ? [TIME] : []), ...defined, ...developer], namedOf };
}

/** Converts the readings of a developer field to the unit of the stream that it replaces. */
function inUnit({ conversion }: DeveloperColumn, list: List | undefined): List | undefined {
  const isSame = conversion.factor === 1 && conversion.offset === 0;
  if (isSame) return list;
  return list?.map((reading) => (reading === null ? null : converted(reading, conversion)));
}

/** How the rows of a chained file are read into tables. */
interface Plan {
  /** Whether all rows are kept. */
  isWhole: boolean;
  /** Columns per pass over the file. */
  atATime: number;
  /** Maximum rows of the tables. */
  capacity: number;
}

function planOf(
  { records, messages }: ChainedFile,
  columns: number,
  resolution: number | null,
  share: number,
): Plan {
  const rows = records.count;
  const mostAtATime = Math.min(columns, Math.max(1, Math.floor(TABLE_CELLS / Math.max(1, rows))));
  const isWhole =
    resolution === null &&
    rows <= TABLE_CELLS &&
    rows * columns <= ANSWER_CELLS * share &&
    Math.ceil(columns / mostAtATime) * messages.units <= ANSWER_UNITS;
  if (isWhole) return { isWhole, atATime: mostAtATime, capacity: rows };
  const room = Math.floor((TABLE_CELLS * share) / Math.max(1, columns));
  return { isWhole, atATime: columns, capacity: Math.min(rows, Math.max(LEAST_ROWS, room)) };
}

/** Returns the maximum rows of each of several sessions: its share of the plan's capacity, at most its own rows. */
function capacitiesOf(
  { chained, windows: all }: SessionWindows,
  sessionIndexes: readonly number[],
  { isWhole, capacity }: Plan,
  readAll: (visit: RowVisitor) => void,
): number[] {
  const rowsOfWindows = all.map(() => 0);
  readAll((index) => (rowsOfWindows[index] = (rowsOfWindows[index] ?? 0) + 1));
  return sessionIndexes.map((index) => {
    const rows = rowsOfWindows[index] ?? 0;
    const shared = Math.floor((rows / chained.records.count) * capacity);
    return isWhole ? rows : Math.min(rows, Math.max(LEAST_ROWS, shared));
  });
}

/** Returns a table for each capacity. The tables occupy consecutive ranges of the column buffers. */
function tablesOf(
  columns: readonly number[],
  buffers: readonly Float64Array[],
  capacities: readonly number[],
): Table[] {
  let place = 0;
  return capacities.map((rows) => {
    const from = place;
    place += rows;
    return new Table(
      columns,
      buffers.map((buffer) => buffer.subarray(from, place)),
      rows,
    );
  });
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

/** Rows stored by column; NaN for no reading. */
class Table {
  isDownsampled = false;
  private rows = 0;
  private readonly capacity: number;
  private readonly columns: readonly TableColumn[];

  /** When the table is full, it is downsampled to a quarter of its rows. */
  constructor(columns: readonly number[], buffers: readonly Float64Array[], capacity: number) {
    this.capacity = capacity;
    this.columns = columns.map((column, i) => ({
      column,
      readings: buffers[i] ?? new Float64Array(capacity),
      readingCount: 0,
    }));
  }

  add(time: number, row: Float64Array): void {
    if (this.rows === this.capacity)
      this.keep(fewerExtremes(this.columnsToRank(), this.rows, this.rows >> 2));
    for (const into of this.columns) {
      const reading = into.column === TIME ? time : (row[into.column] ?? NaN);
      into.readings[this.rows] = reading;
      if (!Number.isNaN(reading)) into.readingCount++;
    }
    this.rows++;
  }

  /** Keeps at most `limit` rows, those with the extremes of the columns. Time alone does not select rows. */
  downsample(limit: number): void {
    if (this.rows <= limit) return;
    this.keep(extremes(this.columnsToRank(), this.rows, limit));
  }

  private columnsToRank(): Float64Array[] {
    const filled = this.columns.filter((column) => column.readingCount > 0);
    const ranked = filled.length > 1 ? filled.filter(({ column }) => column !== TIME) : filled;
    return ranked.map(({ readings }) => readings);
  }

  private keep(kept: readonly number[]): void {
    for (const column of this.columns) {
      if (column.readingCount === 0) continue;
      const { readings } = column;
      let readingCount = 0;
      for (let i = 0; i < kept.length; i++) {
        const reading = readings[kept[i] ?? 0] ?? NaN;
        readings[i] = reading;
        if (!Number.isNaN(reading)) readingCount++;
      }
      column.readingCount = readingCount;
    }
    this.rows = kept.length;
    this.isDownsampled = true;
  }

  /** Adds the columns with readings, and always the time of rows. */
  addListsTo(lists: Map<number, List>): void {
    for (const { column, readings, readingCount } of this.columns) {
      if (this.rows === 0 || (readingCount === 0 && column !== TIME)) continue;
      lists.set(column, listOf(readings.subarray(0, this.rows), readingCount, decimalsOf(column)));
    }
  }
}

interface TableColumn {
  readonly column: number;
  readonly readings: Float64Array;
  /** Number of readings, not NaN. */
  readingCount: number;
}

function decimalsOf(column: number): number | null {
  if (column === TIME) return TIME_DECIMALS;
  return column === LATITUDE || column === LONGITUDE ? DEGREE_DECIMALS : null;
}

/**
 * Converts readings to a list with nulls. In a list with a null, V8 boxes each number but small integers: 24 bytes
 * instead of 8. Lists without null are created at a separate call site so that V8 keeps them as packed doubles.
 */
function listOf(readings: Float64Array, readingCount: number, decimals: number | null): List {
  const exact = (reading: number) => (decimals === null ? reading : (rounded(reading, decimals) ?? 0));
  if (readingCount === readings.length) {
    // oxlint-disable-next-line unicorn/no-new-array -- Array.from would first create a list of undefined
    const numbers = new Array<number>(readings.length);
    for (let i = 0; i < readings.length; i++) numbers[i] = exact(readings[i] ?? NaN);
    return numbers;
  }
  // oxlint-disable-next-line unicorn/no-new-array -- as above
  const mixed = new Array<number | null>(readings.length);
  for (let i = 0; i < readings.length; i++) {
    const value = exact(readings[i] ?? NaN);
    if (Number.isNaN(readings[i])) mixed[i] = null;
    else mixed[i] = (value | 0) === value ? value | 0 : value;
  }
  return mixed;
}
