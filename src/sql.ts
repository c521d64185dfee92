/** A string bound to SQLite ends at 2 MB, in D1 as in a Durable Object; a UTF-16 unit takes up to 3 bytes there. */
const SLICE_CHARACTERS = 600_000;

/**
 * Rows as JSON arrays for `json_each(?)`, each short enough to be one bound parameter. Join tables to it with
 * CROSS JOIN: SQLite cannot tell how few rows it has, and would otherwise read the whole table first.
 */
export function jsonSlices(rows: readonly unknown[]): string[] {
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
  if (parts.length > 0) slices.push(`[${parts.join()}]`);
  return slices;
}

/** D1's own clock in Unix milliseconds, set in the statement that writes: a poller that sorts by it misses nothing. */
export const DATABASE_NOW = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";
