import { valuesOf } from "../concurrency/settleAll.ts";
import type { Env } from "../env.ts";
import { deleteObjects } from "../files/objectKeys.ts";
import { readSources } from "../sources/read.ts";
import { visitCollectors } from "./visit.ts";
import {
  countFiles,
  countImports,
  deleteBatches,
  deleteDeliveries,
  deleteFiles,
  deleteImports,
  deleteSources,
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
 * Maximum number of rows that one page deletes or reads; the last file's activities may exceed it. A statement blocks
 * its database while it runs: this many rows take about 40 ms locally.
 */
export const ROWS_PER_PAGE = 4_000;
/** Maximum number of collectors that one page visits. */
const SOURCES_PER_PAGE = 100;
/** Maximum number of imports in one page. An import has up to ten rows of missing ids. */
const IMPORTS_PER_PAGE = 100;
/** Maximum number of keys in one R2 list. */
const OBJECTS_PER_PAGE = 1_000;

/** State of a sweep during one run. */
export interface Sweep {
  env: Env;
  database: D1Database;
  /** Name of its binding. */
  databaseName: string;
  erasure: Erasure;
  /** Sources that were erased in their collectors, and whether each still has later versions. */
  visited: ReadonlyMap<string, boolean>;
}

/** One page of a step. Its collectors have been visited, and its objects deleted. */
export interface Page {
  /** Statements that delete the page's rows. An empty page has none. */
  deletions: D1PreparedStatement[];
  /** The last id of the page. Null after the step's last page. */
  lastId: string | null;
}

/** Handlers of the steps. Each handles the page after an id, and may be repeated after an interruption. */
export const HANDLERS: Record<Step, (sweep: Sweep, afterId: string) => Promise<Page>> = {
  sources: eraseSources,
  files: eraseFiles,
  file_batches: eraseBatches,
  imports: eraseImports,
  events: (sweep, afterId) => eraseDeliveries(sweep, "events", afterId),
  plans: (sweep, afterId) => eraseDeliveries(sweep, "plans", afterId),
  objects: eraseObjects,
};

/** Deletes a page's rows only after all its collectors were visited. */
async function eraseSources({ env, database, erasure, visited }: Sweep, afterId: string): Promise<Page> {
  const { partner_id, user_id } = erasure;
  const sources = await readSources(database, partner_id, user_id, afterId, SOURCES_PER_PAGE);
  if (sources.length === 0) return NOTHING_LEFT;
  const unvisited = sources.filter((source) => !visited.has(source));
  const visits = valuesOf(await visitCollectors(env, erasure, unvisited));
  const keepsLater = new Map([
    ...visited,
    ...unvisited.map((source, index) => [source, visits[index]] as const),
  ]);
  const empty = sources.filter((source) => keepsLater.get(source) === false);
  const lastId = sources.length < SOURCES_PER_PAGE ? null : (sources.at(-1) ?? null);
  return { deletions: [deleteSources(database, erasure, empty)], lastId };
}

async function eraseFiles({ env, database, erasure }: Sweep, afterId: string): Promise<Page> {
  const range = rangeAfter(erasure, "files", afterId);
  const found = await readFiles(database, erasure, range, ROWS_PER_PAGE);
  if (found.length === 0) return NOTHING_LEFT;
  const page = cutPage(found, ROWS_PER_PAGE, ({ activity_count }) => 1 + activity_count);
  const lastId = page.isLast ? null : page.last.file_id;
  const keys = page.rows.flatMap((file) => [file.readable, file.failed]);
  await deleteObjects(
    env.FILES,
    keys.filter((key) => key !== null),
  );
  const deleted = upTo(range, lastId);
  return {
    deletions: [countFiles(database, erasure, deleted), ...deleteFiles(database, erasure, deleted)],
    lastId,
  };
}

async function eraseBatches({ database, erasure }: Sweep, afterId: string): Promise<Page> {
  const range = rangeAfter(erasure, "file_batches", afterId);
  const found = await readBatches(database, erasure, range, ROWS_PER_PAGE);
  if (found.length === 0) return NOTHING_LEFT;
  const page = cutPage(found, ROWS_PER_PAGE, (batch) => 1 + batch.files);
  const lastId = page.isLast ? null : page.last.batch_id;
  return { deletions: [deleteBatches(database, erasure, upTo(range, lastId))], lastId };
}

async function eraseImports({ database, erasure }: Sweep, afterId: string): Promise<Page> {
  const range = rangeAfter(erasure, "imports", afterId);
  const found = await readImports(database, erasure, range, IMPORTS_PER_PAGE);
  if (found.length === 0) return NOTHING_LEFT;
  const lastId = found.length < IMPORTS_PER_PAGE ? null : (found.at(-1) ?? null);
  const deleted = upTo(range, lastId);
  return {
    deletions: [countImports(database, erasure, deleted), ...deleteImports(database, erasure, deleted)],
    lastId,
  };
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

/** Deletes downloaded versions, including objects that an importer has stored and no row names. */
async function eraseObjects({ env, erasure }: Sweep, afterId: string): Promise<Page> {
  const { partner_id, user_hash, before_version } = erasure;
  const page = await env.FILES.list({
    prefix: `${partner_id}/${user_hash}/`,
    limit: OBJECTS_PER_PAGE,
    ...(afterId === "" ? {} : { startAfter: afterId }),
  });
  const keys = page.objects.map((object) => object.key);
  // A key ends in its version. Later versions were pinged after the erasure.
  await deleteObjects(
    env.FILES,
    keys.filter((key) => Number(key.slice(key.lastIndexOf("/") + 1)) <= before_version),
  );
  return { deletions: [], lastId: page.truncated ? (keys.at(-1) ?? null) : null };
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
 * Returns the first rows with a total weight of at most `limit`, but at least one row, so that each page advances.
 * `found` was read with the same limit, and is not empty.
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
