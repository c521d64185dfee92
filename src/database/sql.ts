/** D1 and Durable Objects bind strings of at most 2 MB. A UTF-16 unit takes up to 3 bytes there. */
const SLICE_CHARACTERS = 600_000;

/**
 * Returns rows as JSON arrays for `json_each(?)`, each short enough for one bound parameter. Join tables to them with
 * CROSS JOIN: SQLite does not know how few rows they have, and would otherwise read the whole table first.
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

/** Conditions of a WHERE clause, joined by AND, with the values that they bind, in order. */
export class Where {
  readonly values: (string | number | null)[] = [];
  readonly #conditions: string[] = [];

  /** Adds a condition with a value for each `?` in it. */
  and(condition: string, ...values: (string | number | null)[]): this {
    this.#conditions.push(condition);
    this.values.push(...values);
    return this;
  }

  /** Adds `column = ?`, unless the value is undefined. */
  andEqual(column: string, value: string | number | undefined): this {
    return value === undefined ? this : this.and(`${column} = ?`, value);
  }

  /** Adds that one of the texts contains `part`, whatever the case of ASCII letters, unless `part` is undefined. */
  andContains(texts: readonly string[], part: string | undefined): this {
    if (part === undefined) return this;
    const any = texts.map((text) => `instr(lower(${text}), lower(?)) > 0`).join(" OR ");
    return this.and(`(${any})`, ...texts.map(() => part));
  }

  get sql(): string {
    return this.#conditions.join(" AND ");
  }
}

/** SQL for D1's clock in Unix milliseconds. Statements that write use it, so a poller that sorts by it misses no row. */
export const DATABASE_NOW = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";
