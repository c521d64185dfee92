/** A string bound to SQLite ends at 2 MB, in D1 as in a Durable Object; a UTF-16 unit takes up to 3 bytes there. */
const SLICE_CHARACTERS = 600_000;

/** Rows with the JSON array of their values. */
export interface Slice<T> {
  rows: readonly T[];
  json: string;
}

/** Rows in as few slices as the JSON arrays of their values fit one bound parameter each. */
export function sliced<T>(rows: readonly T[], valueOf: (row: T) => unknown): Slice<T>[] {
  if (rows.length === 0) return [];
  const whole = JSON.stringify(rows.map(valueOf));
  if (whole.length <= SLICE_CHARACTERS) return [{ rows, json: whole }];
  const slices: Slice<T>[] = [];
  let start = 0;
  let parts: string[] = [];
  let characters = 0;
  for (const [index, row] of rows.entries()) {
    const part = JSON.stringify(valueOf(row));
    if (parts.length > 0 && characters + part.length > SLICE_CHARACTERS) {
      slices.push({ rows: rows.slice(start, index), json: `[${parts.join()}]` });
      start = index;
      parts = [];
      characters = 0;
    }
    parts.push(part);
    characters += part.length + 1;
  }
  slices.push({ rows: rows.slice(start), json: `[${parts.join()}]` });
  return slices;
}

/**
 * Rows as JSON arrays for `json_each(?)`, each short enough to be one bound parameter. Join tables to it with
 * CROSS JOIN: SQLite cannot tell how few rows it has, and would otherwise read the whole table first.
 */
export function jsonSlices(rows: readonly unknown[]): string[] {
  return sliced(rows, (row) => row).map((slice) => slice.json);
}

/** The conditions of a WHERE clause, joined by AND, with the values that they bind in their order. */
export class Where {
  readonly values: (string | number | null)[] = [];
  readonly #conditions: string[] = [];

  /** Adds a condition with a value for each `?` in it. */
  and(condition: string, ...values: (string | number | null)[]): this {
    this.#conditions.push(condition);
    this.values.push(...values);
    return this;
  }

  /** Adds `column = ?`, unless the filter is not given. */
  andEqual(column: string, value: string | number | undefined): this {
    return value === undefined ? this : this.and(`${column} = ?`, value);
  }

  get sql(): string {
    return this.#conditions.join(" AND ");
  }
}

/** D1's own clock in Unix milliseconds, set in the statement that writes: a poller that sorts by it misses nothing. */
export const DATABASE_NOW = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";
