import {
  developerColumnsOf,
  LATITUDE,
  LONGITUDE,
  sourceOf,
  STANDARD_KEYS,
  TIME_KEY,
  type DeveloperColumn,
} from "./columns.ts";
import { extremes, fewerExtremes } from "./extremes.ts";
import type { PartLegs } from "./legs.ts";
import { readRows } from "./rows.ts";
import type { Part } from "./survey.ts";
import type { Streams, StreamsOptions } from "./types.ts";
import { rounded } from "./values.ts";

/** Numbers in one table, 8 bytes each. A longer file is read several times, for some of its columns each. */
const TABLE_CELLS = 2_000_000;
const TABLE_CELL_BYTES = 8;
/** A number in a list, often in a box of its own, and twice as text: in JSON, and as the bytes of the answer. */
const ANSWER_CELL_BYTES = 24;
/** Numbers in one answer: 55 hours of ten columns, one row a second. With their JSON they take up to half an isolate. */
export const ANSWER_CELLS = 2_000_000;
/** Units of work that the first pass counted, over all readings of a file for one answer. */
const ANSWER_UNITS = 150_000_000;
/** Rows that each of several activities has room for in an answer that is thinned. */
const LEAST_ROWS = 100;
/** A degree of latitude is 111 km: this is a centimetre, the step of the wire. */
const DEGREE_DECIMALS = 7;
const TIME_DECIMALS = 3;
/** Stands for the time among the columns of rows. */
const TIME = -1;

type List = (number | null)[];
type TakeRow = (leg: number, time: number, row: Float64Array) => void;

/** Asked before so many bytes are allocated for tables and columns; may throw. */
export type BeforeAllocating = (bytes: number) => void;

/** Numbers in an answer with all columns of a part's rows. */
export function cellsOf({ part }: PartLegs): number {
  return part.records.count * (1 + STANDARD_KEYS.length + part.recordDeveloperKeys.size);
}

/**
 * The columns of some legs of a part, in one reading of them all. More rows than an answer may hold are thinned as
 * by a `resolution`, and marked so. `share` is the part of an answer that they may fill.
 */
export function streamsOf(
  view: DataView,
  partLegs: PartLegs,
  legs: readonly number[],
  { keys, resolution }: Pick<StreamsOptions, "keys" | "resolution">,
  beforeAllocating: BeforeAllocating,
  share = 1,
): Streams[] {
  const developerColumns = developerColumnsOf(partLegs.part);
  const { columns, namedOf } = columnsOf(developerColumns, keys);
  const readRowsOf = (some: readonly number[], take: TakeRow) => {
    const wanted = new Uint16Array(STANDARD_KEYS.length + developerColumns.length);
    for (const column of some) if (column !== TIME) wanted[column] = 1;
    readRows(view, partLegs, developerColumns, wanted, take);
  };
  const plan = planOf(partLegs.part, columns.length, resolution, share);
  const capacities =
    legs.length === 1
      ? [Math.min(partLegs.part.records.count, plan.capacity)]
      : capacitiesOf(partLegs, legs, plan, (take) => readRowsOf(columns, take));
  const answerRows = sumOf(capacities.map((rows) => Math.min(rows, resolution ?? rows)));
  beforeAllocating(
    TABLE_CELL_BYTES * plan.atATime * sumOf(capacities) + ANSWER_CELL_BYTES * columns.length * answerRows,
  );

  // Every table uses the same buffers: what is dropped is not always collected in time.
  const buffers = Array.from({ length: plan.atATime }, () => new Float64Array(sumOf(capacities)));
  const found = legs.map(() => ({ lists: new Map<number, List>(), isThinned: false }));
  for (let from = 0; from < columns.length; from += plan.atATime) {
    const some = columns.slice(from, from + plan.atATime);
    const tables = tablesOf(some, buffers, capacities);
    const tableOfLeg = partLegs.legs.map((_, leg) => tables[legs.indexOf(leg)]);
    readRowsOf(some, (leg, time, row) => tableOfLeg[leg]?.add(time, row));
    tables.forEach((table, i) => {
      const into = found[i];
      if (into === undefined) return;
      if (resolution !== null) table.thin(resolution);
      table.addListsTo(into.lists);
      into.isThinned = table.isThinned;
    });
  }
  return found.map(({ lists, isThinned }) => ({ downsampled: isThinned, columns: namedOf(lists) }));
}

/** The columns to read for these keys (null: all), and how the lists read of them are named. */
function columnsOf(developerColumns: readonly DeveloperColumn[], keys: readonly string[] | null) {
  const isWanted = (key: string) => keys === null || keys.includes(key);
  const standard = STANDARD_KEYS.flatMap((key, column) => (isWanted(key) ? [column] : []));
  const developer = developerColumns.flatMap(({ key, standsInFor }, i) =>
    isWanted(key) || (standsInFor !== null && standard.includes(standsInFor))
      ? [STANDARD_KEYS.length + i]
      : [],
  );
  const namedOf = (lists: ReadonlyMap<number, List>): Streams["columns"] => {
    const named = [{ key: TIME_KEY, list: lists.get(TIME) }];
    for (const column of standard) {
      const source = sourceOf(column, developerColumns, (candidate) => lists.has(candidate));
      named.push({ key: STANDARD_KEYS[column] ?? "", list: lists.get(source) });
    }
    developerColumns.forEach(({ key }, i) => {
      if (isWanted(key)) named.push({ key, list: lists.get(STANDARD_KEYS.length + i) });
    });
    return Object.fromEntries(named.flatMap(({ key, list }) => (list === undefined ? [] : [[key, list]])));
  };
  return { columns: [...(isWanted(TIME_KEY) ? [TIME] : []), ...standard, ...developer], namedOf };
}

/** How a part's rows are read into tables. */
interface Plan {
  /** Whether no row is left out. */
  isWhole: boolean;
  /** Columns in one reading of the file. */
  atATime: number;
  /** Rows that the tables have room for. */
  capacity: number;
}

function planOf({ records, segment }: Part, columns: number, resolution: number | null, share: number): Plan {
  const rows = records.count;
  const mostAtATime = Math.min(columns, Math.max(1, Math.floor(TABLE_CELLS / Math.max(1, rows))));
  const isWhole =
    resolution === null &&
    rows <= TABLE_CELLS &&
    rows * columns <= ANSWER_CELLS * share &&
    Math.ceil(columns / mostAtATime) * segment.units <= ANSWER_UNITS;
  if (isWhole) return { isWhole, atATime: mostAtATime, capacity: rows };
  const room = Math.floor((TABLE_CELLS * share) / Math.max(1, columns));
  return { isWhole, atATime: columns, capacity: Math.min(rows, Math.max(LEAST_ROWS, room)) };
}

/** The rows that each of several legs has room for: its share of the plan's, and not more than it has. */
function capacitiesOf(
  { part, legs: all }: PartLegs,
  legs: readonly number[],
  { isWhole, capacity }: Plan,
  readAll: (take: TakeRow) => void,
): number[] {
  const rowsOfLegs = all.map(() => 0);
  readAll((leg) => (rowsOfLegs[leg] = (rowsOfLegs[leg] ?? 0) + 1));
  return legs.map((leg) => {
    const rows = rowsOfLegs[leg] ?? 0;
    const shared = Math.floor((rows / part.records.count) * capacity);
    return isWhole ? rows : Math.min(rows, Math.max(LEAST_ROWS, shared));
  });
}

/** A table for each capacity; they lie one after another in the buffers of their columns. */
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

/** Rows as columns, NaN where there is no reading. */
class Table {
  isThinned = false;
  private rows = 0;
  private readonly capacity: number;
  private readonly columns: readonly TableColumn[];

  /** A full table is thinned to a quarter of its rows to make room. */
  constructor(columns: readonly number[], buffers: readonly Float64Array[], capacity: number) {
    this.capacity = capacity;
    this.columns = columns.map((column, i) => ({
      column,
      readings: buffers[i] ?? new Float64Array(capacity),
      known: 0,
    }));
  }

  add(time: number, row: Float64Array): void {
    if (this.rows === this.capacity) this.keep(fewerExtremes(this.telling(), this.rows, this.rows >> 2));
    for (const into of this.columns) {
      const reading = into.column === TIME ? time : (row[into.column] ?? NaN);
      into.readings[this.rows] = reading;
      if (!Number.isNaN(reading)) into.known++;
    }
    this.rows++;
  }

  /** Keeps at most `limit` rows, those with the extremes of the columns; time tells nothing by its own. */
  thin(limit: number): void {
    if (this.rows <= limit) return;
    this.keep(extremes(this.telling(), this.rows, limit));
  }

  private telling(): Float64Array[] {
    const known = this.columns.filter((column) => column.known > 0);
    const telling = known.length > 1 ? known.filter(({ column }) => column !== TIME) : known;
    return telling.map(({ readings }) => readings);
  }

  private keep(kept: readonly number[]): void {
    for (const column of this.columns) {
      if (column.known === 0) continue;
      const { readings } = column;
      let known = 0;
      for (let i = 0; i < kept.length; i++) {
        const reading = readings[kept[i] ?? 0] ?? NaN;
        readings[i] = reading;
        if (!Number.isNaN(reading)) known++;
      }
      column.known = known;
    }
    this.rows = kept.length;
    this.isThinned = true;
  }

  /** Adds the columns that have readings, and the time of rows even where no row has one. */
  addListsTo(lists: Map<number, List>): void {
    for (const { column, readings, known } of this.columns) {
      if (this.rows === 0 || (known === 0 && column !== TIME)) continue;
      lists.set(column, listOf(readings.subarray(0, this.rows), known, decimalsOf(column)));
    }
  }
}

interface TableColumn {
  readonly column: number;
  readonly readings: Float64Array;
  /** How many of them are readings. */
  known: number;
}

function decimalsOf(column: number): number | null {
  if (column === TIME) return TIME_DECIMALS;
  return column === LATITUDE || column === LONGITUDE ? DEGREE_DECIMALS : null;
}

/**
 * Beside a null, engines keep every number but small integers in a box of its own: 24 bytes instead of 8.
 * A list without nulls is made apart, for they learn the kind of list that a line of code makes.
 */
function listOf(readings: Float64Array, known: number, decimals: number | null): List {
  const exact = (reading: number) => (decimals === null ? reading : (rounded(reading, decimals) ?? 0));
  if (known === readings.length) {
    // oxlint-disable-next-line unicorn/no-new-array -- Array.from would begin with a list of undefined
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
