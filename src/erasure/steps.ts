import { collectorFor } from "../collector/client.ts";
import { settleAll, valuesOf } from "../concurrency/settleAll.ts";
import type { Env } from "../env.ts";
import { deleteObjects } from "../files/objectKeys.ts";
import {
  deleteBatches,
  deleteDeliveries,
  deleteFiles,
  deleteImports,
  rangeAfter,
  readBatches,
  readDeliveries,
  readFiles,
  readImports,
  type Erasure,
  type IdRange,
  type Step,
} from "./write.ts";

/**
 * Rows that one page deletes or looks up, give or take those of its last file. A statement blocks its database while it
 * runs: this many take about 40 ms locally.
 */
export const ROWS_PER_PAGE = 4_000;
/** Visiting a collector counts as this many rows, so a page visits at most 100. */
const ROWS_PER_VISIT = 40;
/** Collectors are visited this many at a time. */
const COLLECTORS_AT_ONCE = 10;
/** An import has up to ten rows of missing ids, and a collector of its own. */
const IMPORTS_PER_PAGE = 100;
/** R2 lists this many keys at a time. */
const OBJECTS_PER_PAGE = 1_000;

/** A sweep as one run of it goes on. */
export interface Sweep {
  env: Env;
  database: D1Database;
  erasure: Erasure;
  /** Sources whose collectors this run has visited. */
  visited: Set<string>;
}

/** One page of a step, its collectors visited and its objects deleted. */
export interface Page {
  /** Statements that delete the page's rows; an empty page has none. */
  deletions: D1PreparedStatement[];
  /** The last id of the page; null: it was the step's last page. */
  lastId: string | null;
}

/** What each step does with the page after an id. Interrupted anywhere, it may be repeated. */
export const HANDLERS: Record<Step, (sweep: Sweep, afterId: string) => Promise<Page>> = {
  files: eraseFiles,
  file_batches: eraseBatches,
  imports: eraseImports,
  events: (sweep, afterId) => eraseDeliveries(sweep, "events", afterId),
  plans: (sweep, afterId) => eraseDeliveries(sweep, "plans", afterId),
  objects: eraseObjects,
};

async function eraseFiles(sweep: Sweep, afterId: string): Promise<Page> {
  const { env, database, erasure } = sweep;
  const range = rangeAfter(erasure, "files", afterId);
  const found = await readFiles(database, erasure, range, ROWS_PER_PAGE);
  if (found.length === 0) return NOTHING_LEFT;
  const counted = new Set(sweep.visited);
  const page = cutPage(found, ROWS_PER_PAGE, ({ source, activity_count }) => {
    const visit = counted.has(source) ? 0 : ROWS_PER_VISIT;
    counted.add(source);
    return 1 + activity_count + visit;
  });
  const lastId = page.isLast ? null : page.last.file_id;
  await visitCollectors(sweep, page.rows);
  const keys = page.rows.flatMap((file) => [file.readable, file.failed]);
  await deleteObjects(
    env.FILES,
    keys.filter((key) => key !== null),
  );
  return { deletions: deleteFiles(database, erasure, upTo(range, lastId)), lastId };
}

async function eraseBatches({ database, erasure }: Sweep, afterId: string): Promise<Page> {
  const range = rangeAfter(erasure, "file_batches", afterId);
  const found = await readBatches(database, erasure, range, ROWS_PER_PAGE);
  if (found.length === 0) return NOTHING_LEFT;
  const page = cutPage(found, ROWS_PER_PAGE, (batch) => 1 + batch.files);
  const lastId = page.isLast ? null : page.last.batch_id;
  return { deletions: [deleteBatches(database, erasure, upTo(range, lastId))], lastId };
}

async function eraseImports(sweep: Sweep, afterId: string): Promise<Page> {
  const { database, erasure } = sweep;
  const range = rangeAfter(erasure, "imports", afterId);
  const found = await readImports(database, erasure, range, IMPORTS_PER_PAGE);
  if (found.length === 0) return NOTHING_LEFT;
  await visitCollectors(sweep, found);
  const lastId = found.length < IMPORTS_PER_PAGE ? null : (found.at(-1)?.import_id ?? null);
  return { deletions: deleteImports(database, erasure, upTo(range, lastId)), lastId };
}

async function eraseDeliveries(
  { database, erasure }: Sweep,
  step: "events" | "plans",
  afterId: string,
): Promise<Page> {
  const range = rangeAfter(erasure, step, afterId);
  const found = await readDeliveries(database, erasure, range, ROWS_PER_PAGE);
  if (found.length === 0) return NOTHING_LEFT;
  const lastId = found.length < ROWS_PER_PAGE ? null : (found.at(-1) ?? null);
  return { deletions: [deleteDeliveries(database, erasure, upTo(range, lastId))], lastId };
}

/** Deletes downloaded versions, also those that an importer has stored and no row names. */
async function eraseObjects({ env, erasure }: Sweep, afterId: string): Promise<Page> {
  const { partner_id, user_hash, before_version } = erasure;
  const page = await env.FILES.list({
    prefix: `${partner_id}/${user_hash}/`,
    limit: OBJECTS_PER_PAGE,
    ...(afterId === "" ? {} : { startAfter: afterId }),
  });
  const keys = page.objects.map((object) => object.key);
  // A key ends in its version; later ones were pinged after the erasure.
  await deleteObjects(
    env.FILES,
    keys.filter((key) => Number(key.slice(key.lastIndexOf("/") + 1)) <= before_version),
  );
  return { deletions: [], lastId: page.truncated ? (keys.at(-1) ?? null) : null };
}

/** Erases what the collectors of these rows hold of the user up to the bound. */
async function visitCollectors(
  { env, erasure, visited }: Sweep,
  rows: readonly { source: string }[],
): Promise<void> {
  const { partner_id, user_id, before_version } = erasure;
  const sources = [...new Set(rows.map((row) => row.source))].filter((source) => !visited.has(source));
  const visits = await settleAll(sources, COLLECTORS_AT_ONCE, async (source) => {
    await collectorFor(env, { partner_id, user_id, source }).erase(before_version);
    visited.add(source);
  });
  valuesOf(visits);
}

const NOTHING_LEFT: Page = { deletions: [], lastId: null };

function upTo(range: IdRange, lastId: string | null): IdRange {
  return lastId === null ? range : { ...range, through: lastId };
}

interface Cut<T> {
  rows: readonly T[];
  last: T;
  isLast: boolean;
}

/**
 * Returns the first rows that weigh at most `limit` together, but at least one, so that each page advances. `found` was
 * read with the same limit, and is not empty.
 */
function cutPage<T>(found: readonly T[], limit: number, weightOf: (row: T) => number): Cut<T> {
  let weight = 0;
  const end = found.findIndex((row, index) => {
    weight += weightOf(row);
    return index > 0 && weight > limit;
  });
  const rows = end === -1 ? found : found.slice(0, end);
  const last = rows.at(-1);
  if (last === undefined) throw new RangeError("a page has at least one row");
  return { rows, last, isLast: rows.length === found.length && found.length < limit };
}
