/** A page of a list; `next` is the position where the next page begins, null after the last one. */
export interface Page<Row, Position> {
  rows: Row[];
  next: Position | null;
}

/** Columns of a row that a walk returns. */
export interface Walked {
  /** 0 for the row that only says how far the walk came. */
  is_match: 0 | 1;
  /** 1 for the last row that the walk may look at. */
  is_end: 0 | 1;
}

/** Bounds of one query of a walk. */
export interface WalkBounds {
  /** Rows that the query looks at, whether they match or not. */
  rows: number;
  /** Rows that it returns. */
  matches: number;
}

/**
 * Returns SQL for the first rows of a sub-select `p`, numbered `n` from 1, as table `w`. Bind the values of the
 * sub-select, then the number of rows. Filters that no index serves belong outside: SQLite then looks at no more rows
 * than these.
 */
export function walked(select: string, rows = "?"): string {
  return `(SELECT row_number() OVER () AS n, p.* FROM (${select} LIMIT ${rows}) p) w`;
}

/**
 * Reads one page in two queries at most. The first looks at as many rows as the page holds: enough when all match. The
 * second looks at `rowsToWalk`. The page is short, or empty, when few of these match; its `next` is then where the walk
 * ended. `positionOf` returns the position of a returned row.
 */
export async function readPage<Row extends Walked, Position>(
  { limit, after, rowsToWalk }: { limit: number; after: Position | null; rowsToWalk: number },
  read: (after: Position | null, bounds: WalkBounds) => Promise<Row[]>,
  positionOf: (row: Row) => Position,
): Promise<Page<Row, Position>> {
  const rows: Row[] = [];
  let position = after;
  for (const walk of [limit + 1, rowsToWalk]) {
    const found = await read(position, { rows: walk, matches: limit + 1 - rows.length });
    rows.push(...found.filter((row) => row.is_match === 1));
    const last = rows[limit - 1];
    if (rows.length > limit && last !== undefined) {
      return { rows: rows.slice(0, limit), next: positionOf(last) };
    }
    const end = found.at(-1);
    if (end?.is_end !== 1) return { rows, next: null };
    position = positionOf(end);
  }
  return { rows, next: position };
}

/**
 * Returns SQL for the rows `s` of a sub-select over `FEW`, each with `few`: 1 where the range has at most `most` rows.
 * With more it is one row, in which `few` is 0, and the range is not read. Bind the values of the range twice, then
 * those of the sub-select.
 */
export function sortedIfFew(range: { from: string; where: string; most: number }, select: string): string {
  const rows = `FROM ${range.from} WHERE ${range.where}`;
  return `WITH amount AS MATERIALIZED (SELECT (SELECT 1 ${rows} LIMIT 1 OFFSET ${range.most}) IS NULL AS few),
      few_rows AS NOT MATERIALIZED (SELECT * ${rows} LIMIT (SELECT few * ${range.most} FROM amount))
    SELECT amount.few, s.* FROM amount LEFT JOIN (${select}) s ON true`;
}
export const FEW = "few_rows";

/** Returns the page of these rows, of which one more than `limit` was asked for. */
export function pageOfSorted<Row, Position>(
  rows: readonly Row[],
  limit: number,
  positionOf: (row: Row) => Position,
): Page<Row, Position> {
  const last = rows[limit - 1];
  return {
    rows: rows.slice(0, limit),
    next: rows.length > limit && last !== undefined ? positionOf(last) : null,
  };
}
