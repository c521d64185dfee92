/** A string bound to SQLite ends at 2 MB, in D1 as in a Durable Object; a UTF-16 unit takes up to 3 bytes there. */
const SLICE_CHARACTERS = 600_000;

/**
 * Rows as JSON arrays for `json_each(?)`, in as few as are short enough to be one bound parameter each. Join tables to
 * them with CROSS JOIN: SQLite cannot tell how few rows they have, and would otherwise read the whole table first.
 */
export function jsonSlices(rows: readonly unknown[]): string[] {
  if (rows.length === 0) return [];
  const whole = JSON.stringify(rows);
  if (whole.length <= SLICE_CHARACTERS) return [whole];
  const slices: string[] = [];
  let parts: string[] = [];
  let characters = 0;
  for (const row of rows) {
    const part = JSON.stringify(row);
    if (parts.length > 0 && characters + part.length > SLICE_CHARACTERS) {
      slices.push(`[${parts.join()}]`);
      parts = [];
      characters = 0;
    }
    parts.push(part);
    characters += part.length + 1;
  }
  slices.push(`[${parts.join()}]`);
  return slices;
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
