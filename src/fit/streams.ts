import { developerColumnsOf, LATITUDE, LONGITUDE, sourceOf, STANDARD_KEYS, TIME_KEY } from "./columns.ts";
import { extremes } from "./extremes.ts";
import type { PartLegs } from "./legs.ts";
import { readRows } from "./rows.ts";
import type { Streams, StreamsOptions } from "./types.ts";
import { rounded } from "./values.ts";

/** Numbers in one table, 8 bytes each. A longer file is read several times, for some of its columns each. */
const TABLE_CELLS = 2_000_000;
const TABLE_CELL_BYTES = 8;
/** A number in a list, often in a box of its own, and twice as text: in JSON, and as the bytes of the answer. */
const ANSWER_CELL_BYTES = 24;
/** Numbers in one answer: 55 hours of ten columns, one row a second. With their JSON they take up to half an isolate. */
export const ANSWER_CELLS = 2_000_000;
/** A degree of latitude is 111 km: this is a centimetre, the step of the wire. */
const DEGREE_DECIMALS = 7;
const TIME_DECIMALS = 3;
/** Stands for the time among the columns of rows. */
const TIME = -1;

type List = (number | null)[];

/** Asked before so many bytes are allocated for tables and columns; may throw. */
export type BeforeAllocating = (bytes: number) => void;

/**
 * The columns of one leg. More rows than an answer may hold are thinned as by a `resolution`, and marked so.
 */
export function streamsOf(
  view: DataView,
  partLegs: PartLegs,
  legIndex: number,
  { keys, resolution }: Pick<StreamsOptions, "keys" | "resolution">,
  beforeAllocating: BeforeAllocating,
): Streams {
  const developerColumns = developerColumnsOf(partLegs.part);
  const isWanted = (key: string) => keys === null || keys.includes(key);
  const standard = STANDARD_KEYS.flatMap((key, column) => (isWanted(key) ? [column] : []));
  const developer = developerColumns.flatMap(({ key, standsInFor }, i) =>
    isWanted(key) || (standsInFor !== null && standard.includes(standsInFor))
      ? [STANDARD_KEYS.length + i]
      : [],
  );
  const columns = [...(isWanted(TIME_KEY) ? [TIME] : []), ...standard, ...developer];
  const mostRows = partLegs.part.records.count;

  // Every table uses the same buffers: what is dropped is not always collected in time.
  const isWhole = resolution === null && mostRows <= TABLE_CELLS && mostRows * columns.length <= ANSWER_CELLS;
  const atATime = isWhole
    ? Math.min(columns.length, Math.max(1, Math.floor(TABLE_CELLS / Math.max(1, mostRows))))
    : columns.length;
  const capacity = Math.min(mostRows, Math.floor(TABLE_CELLS / Math.max(1, atATime)));
  const answerCells = columns.length * Math.min(capacity, resolution ?? capacity);
  beforeAllocating(TABLE_CELL_BYTES * atATime * capacity + ANSWER_CELL_BYTES * answerCells);
  const buffers = Array.from({ length: atATime }, () => new Float64Array(capacity));
  const readTable = (some: readonly number[]) => {
    const table = new Table(some, buffers, capacity);
    const wanted = new Uint16Array(STANDARD_KEYS.length + developerColumns.length);
    for (const column of some) if (column !== TIME) wanted[column] = 1;
    readRows(view, partLegs, developerColumns, wanted, (leg, time, row) => {
      if (leg === legIndex) table.add(time, row);
    });
    return table;
  };
  const lists = new Map<number, List>();
  let isThinned = false;
  for (let from = 0; from < columns.length; from += atATime) {
    const table = readTable(columns.slice(from, from + atATime));
    if (resolution !== null) table.thin(resolution);
    table.addListsTo(lists);
    isThinned = table.isThinned;
  }

  const named = [{ key: TIME_KEY, list: lists.get(TIME) }];
  for (const column of standard) {
    const source = sourceOf(column, developerColumns, (candidate) => lists.has(candidate));
    named.push({ key: STANDARD_KEYS[column] ?? "", list: lists.get(source) });
  }
  developerColumns.forEach(({ key }, i) => {
    if (isWanted(key)) named.push({ key, list: lists.get(STANDARD_KEYS.length + i) });
  });
  return {
    downsampled: isThinned,
    columns: Object.fromEntries(named.flatMap(({ key, list }) => (list === undefined ? [] : [[key, list]]))),
  };
}

/** Rows as columns, NaN where there is no reading. */
class Table {
  isThinned = false;
  private rows = 0;
  private readonly capacity: number;
  private readonly columns: readonly TableColumn[];

  /** A full table is thinned to half its rows to make room. */
  constructor(columns: readonly number[], buffers: readonly Float64Array[], capacity: number) {
    this.capacity = capacity;
    this.columns = columns.map((column, i) => ({
      column,
      readings: buffers[i] ?? new Float64Array(capacity),
      known: 0,
    }));
  }

  add(time: number, row: Float64Array): void {
    if (this.rows === this.capacity) this.thin(this.rows >> 1);
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
    const known = this.columns.filter((column) => column.known > 0);
    const telling = known.length > 1 ? known.filter(({ column }) => column !== TIME) : known;
    const kept = extremes(
      telling.map(({ readings }) => readings),
      this.rows,
      limit,
    );
    for (const column of this.columns) {
      const { readings } = column;
      kept.forEach((row, i) => (readings[i] = readings[row] ?? NaN));
      column.known = readings.subarray(0, kept.length).filter((reading) => !Number.isNaN(reading)).length;
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
