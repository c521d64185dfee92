/** A page of a list. `next` is the position where the next page begins, or null after the last page. */
export interface Page<Row, Position> {
  rows: Row[];
  next: Position | null;
  /** Number of rows that the database read for the page, as D1 counts them. */
  rowsRead: number;
}

/** Columns of a row that a walk returns. */
export interface Walked {
  /** 0 for a row that only carries the position that the walk has reached. */
  is_match: 0 | 1;
  /** 1 for the last row that the walk may read. */
  is_end: 0 | 1;
}

/** Bounds of one query of a walk. */
export interface WalkBounds {
  /** Maximum number of rows that the query reads, whether they match or not. */
  rows: number;
  /** Maximum number of rows that it returns. */
  matches: number;
}

/**
 * Returns SQL for the first rows of a sub-select `p`, numbered `n` from 1, as table `w`. Bind the values of the
 * sub-select, then the number of rows. Put filters without an index outside, so that SQLite reads no more rows than
 * these.
 */
export function walked(select: string, rows = "?"): string {
  return `(SELECT row_number() OVER () AS n, p.* FROM (${select} LIMIT ${rows}) p) w`;
}

/**
 * Reads one page in two queries at most. The first reads as many rows as the page holds, which is enough when all match.
 * The second reads `rowsToWalk`. When few of these match, the page is short or empty, and `next` is where the walk
 * ended. `positionOf` returns the position of a returned row.
 */
export async function readPage<Row extends Walked, Position>(
  {
    limit,
    after,
    rowsToWalk,
    rowsReadBefore = 0,
  }: { limit: number; after: Position | null; rowsToWalk: number; rowsReadBefore?: number },
  read: (after: Position | null, bounds: WalkBounds) => Promise<Pick<D1Result<Row>, "results" | "meta">>,
  positionOf: (row: Row) => Position,
): Promise<Page<Row, Position>> {
  const rows: Row[] = [];
  let position = after;
  let rowsRead = rowsReadBefore;
  for (const walk of [limit + 1, rowsToWalk]) {
    const { results: found, meta } = await read(position, { rows: walk, matches: limit + 1 - rows.length });
    rowsRead += meta.rows_read;
    rows.push(...found.filter((row) => row.is_match === 1));
    const last = rows[limit - 1];
    if (rows.length > limit && last !== undefined) {
      return { rows: rows.slice(0, limit), next: positionOf(last), rowsRead };
    }
    const end = found.at(-1);
    if (end?.is_end !== 1) return { rows, next: null, rowsRead };
    position = positionOf(end);
  }
  return { rows, next: position, rowsRead };
}

/**
 * Returns SQL for the rows `s` of a sub-select over `FEW`, each with `few`: 1 when the range has at most `most` rows.
 * With more, the query returns one row with `few` 0, and does not read the range. Bind the values of the range twice,
 * then those of the sub-select.
 */
export function sortedIfFew(range: { from: string; where: string; most: number }, select: string): string {
  const rows = `FROM ${range.from} WHERE ${range.where}`;
  return `WITH amount AS MATERIALIZED (SELECT (SELECT 1 ${rows} LIMIT 1 OFFSET ${range.most}) IS NULL AS few),
      few_rows AS NOT MATERIALIZED (SELECT * ${rows} LIMIT (SELECT few * ${range.most} FROM amount))
    SELECT amount.few, s.* FROM amount LEFT JOIN (${select}) s ON true`;
}
export const FEW = "few_rows";

/** A sorted page, or the number of rows that were read to find that there are too many to sort. */
export interface SortedPage<Row, Position> {
  page: Page<Row, Position> | null;
  rowsRead: number;
}
export const NOT_SORTED = { page: null, rowsRead: 0 };

/** Returns the page of these rows. The query asked for `limit` + 1 rows. `meta` is that of its result. */
export function pageOfSorted<Row, Position>(
  rows: readonly Row[],
  limit: number,
  meta: Pick<D1Meta, "rows_read">,
  positionOf: (row: Row) => Position,
): Page<Row, Position> {
  const last = rows[limit - 1];
  return {
    rows: rows.slice(0, limit),
    next: rows.length > limit && last !== undefined ? positionOf(last) : null,
    rowsRead: meta.rows_read,
  };
}
