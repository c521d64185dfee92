import { databaseFor, type Owner } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { collectorOfId } from "../collector/client.ts";
import { erasuresOf, readErasuresOfRoute } from "../erasure/read.ts";
import {
  activityId,
  COLLECTOR_LENGTH,
  collectorPrefixOf,
  fileId,
  idPrefix,
  isId,
  rangeEnd,
  ROUTE_LENGTH,
  userHash,
} from "../identifiers.ts";
import { instantOf } from "../database/rows.ts";
import { DATABASE_NOW, Where } from "../database/sql.ts";
import { readPage, walked, type Page, type WalkBounds, type Walked } from "../database/walk.ts";
import { listedId, removedSessions } from "./batches/listed.pure.ts";
import { editedFields, laterEdits, parseEdits, type FileEdits } from "./edits.pure.ts";
import type { FileErrorCode } from "./errorCodes.ts";
import type { File, FileError, FileStatus, RemovedFile } from "./file.ts";
import { parsePingFields, pingFieldsOf, type PingFields } from "./pingFields.pure.ts";
import { parseFileError, parseWarnings } from "./storedFields.pure.ts";
import type { FileProjection } from "./write.ts";

/**
 * SQL for the import that has released a file `f` whose row still says held: a task writes the import's row and no
 * file's row. Null when no import has released it. The version ranges of a source's imports do not overlap, so the
 * query reads one row: the first import whose range ends at or after the file's version.
 */
export const RELEASED_BY = `CASE WHEN f.status = 'held' THEN (
  SELECT CASE WHEN i.after_version < f.version THEN i.import_id END FROM imports i INDEXED BY imports_by_versions
  WHERE i.partner_id = f.partner_id AND i.user_id = f.user_id AND i.source = f.source
    AND i.through_version >= f.version AND i.through_version > i.after_version
  ORDER BY i.through_version LIMIT 1) END`;

/** SQL for the status of a file `f` that a partner reads: `queued` for a held file that an import has released. */
export const READ_STATUS = `CASE WHEN ${RELEASED_BY} IS NULL THEN f.status ELSE 'queued' END`;

export interface FileRow extends Record<keyof PingFields, unknown> {
  file_id: string;
  user_id: string;
  source: string;
  summary_id: string;
  status: FileStatus;
  attempts: number;
  import_id: string | null;
  released_by: string | null;
  error: string | null;
  next_attempt_at: number | null;
  edits: string | null;
  sha256: string | null;
  size_in_bytes: number | null;
  object_key: string | null;
  failed_object_key: string | null;
  warnings: string;
  activity_count: number;
  stored_version: number | null;
  version: number;
  revision: number;
  received_at: number;
  updated_at: number;
}

/** Returns the fields that describe the last fault: `error` of a failed or skipped file, `last_error` of a queued or held one. */
function faultFields(
  status: FileStatus,
  fault: FileError | null,
  nextAttemptAt: number | null,
): Pick<File, "error" | "last_error" | "next_attempt_at"> {
  const isOpen = status === "queued" || status === "held";
  return {
    error: status === "failed" || status === "skipped" ? fault : null,
    last_error: isOpen ? fault : null,
    next_attempt_at: isOpen && nextAttemptAt !== null ? instantOf(nextAttemptAt) : null,
  };
}

/** Returns the fields that edits change. */
function editedFileFields(
  edits: FileEdits | null,
  { activity_name }: PingFields,
): Pick<File, "activity_name" | "edited"> {
  return { activity_name: edits?.activity_name ?? activity_name, edited: editedFields(edits, null) };
}

/** Returns a file of a row of `files` with its `released_by`. */
export function fileOf(row: FileRow, edits = parseEdits(row.edits)): File {
  const ping = parsePingFields(row);
  const status = row.released_by === null ? row.status : "queued";
  return {
    file_id: row.file_id,
    user_id: row.user_id,
    source: row.source,
    summary_id: row.summary_id,
    ...ping,
    ...editedFileFields(edits, ping),
    status,
    attempts: row.attempts,
    import_id: row.released_by ?? row.import_id,
    // A task has released the file since its row was written, so the attempt is due at once.
    ...faultFields(status, parseFileError(row.error), row.released_by === null ? row.next_attempt_at : null),
    sha256: row.sha256,
    size_in_bytes: row.size_in_bytes,
    warnings: parseWarnings(row.warnings),
    activity_ids: Array.from({ length: row.activity_count }, (_, index) => activityId(row.file_id, index)),
    received_at: instantOf(row.received_at),
    updated_at: instantOf(row.updated_at),
  };
}

/** Returns the file with the state of its newest version, which its collector knows before the read model does. */
function withNewest(file: File | null, newest: FileProjection, edits: FileEdits | null): File {
  const { file_id, user_id, source, summary_id, status, attempts, import_id, failed_object } = newest;
  const received_at = instantOf(newest.received_at);
  return {
    file_id,
    user_id,
    source,
    summary_id,
    ...pingFieldsOf(newest),
    ...editedFileFields(edits, newest),
    status,
    attempts,
    import_id,
    ...faultFields(status, newest.error, newest.next_attempt_at),
    sha256: file?.sha256 ?? failed_object?.sha256 ?? null,
    size_in_bytes: file?.size_in_bytes ?? failed_object?.size_in_bytes ?? null,
    warnings: file?.warnings ?? [],
    activity_ids: file?.activity_ids ?? [],
    received_at,
    updated_at: file !== null && file.updated_at > received_at ? file.updated_at : received_at,
  };
}

/**
 * Reads one file. Its newest version comes from the collector, unless the row has a later revision, and so do its edits.
 * Bytes and activities come from the read model. Returns null for an unknown or erased file. Throws as `readNewest` does.
 */
export async function readFile(env: Env, owner: Owner, fileId: string): Promise<File | null> {
  const { row, newest, edits } = await readNewest(env, owner, fileId);
  const file = row === null ? null : fileOf(row, edits);
  return newest === null ? file : withNewest(file, newest, edits);
}

/** Reads a file's edits, and whether one of its versions is readable. Returns null as `readFile` does. */
export async function readFileEdits(
  env: Env,
  owner: Owner,
  fileId: string,
): Promise<{ edits: FileEdits | null; isReadable: boolean } | null> {
  const { row, newest, edits } = await readNewest(env, owner, fileId);
  return row === null && newest === null ? null : { edits, isReadable: row?.stored_version != null };
}

/**
 * Reads a file's row, and its newest version from its collector; the version is null when the row is newer. `edits` are
 * the later ones of both. All are null for an unknown or erased file. Throws when the read model cannot be read. Throws when the read model does not
 * have the file and the collector cannot be reached.
 */
async function readNewest(
  env: Env,
  owner: Owner,
  fileId: string,
): Promise<{ row: FileRow | null; newest: FileProjection | null; edits: FileEdits | null }> {
  if (!isId(fileId)) return { row: null, newest: null, edits: null };
  const partnerId = owner.partner_id;
  const askCollector = async (): Promise<FileProjection | null> =>
    collectorOfId(env, partnerId, fileId).readFile(fileId);
  const [found, [asked]] = await Promise.all([
    readRow(env, owner, fileId),
    Promise.allSettled([askCollector()]),
  ]);
  const known = asked.status === "fulfilled" ? asked.value : null;
  // The file was imported between the two reads: the importer writes the row before it reports to the collector.
  const isOutdated = known?.status === "imported" && (found.row?.revision ?? 0) < known.revision;
  const { row, erasures } = isOutdated ? await readRow(env, owner, fileId) : found;
  if (row === null && asked.status === "rejected") throw asked.reason;
  // An erasure may delete rows and reach collectors after its response. Partners no longer read data that it covers.
  const remains = ({ user_id, version }: { user_id: string; version: number }) =>
    version > (erasures.get(userHash(partnerId, user_id)) ?? 0);
  const newest = known !== null && remains(known) ? known : null;
  const stored = row !== null && remains(row) ? row : null;
  return {
    row: stored,
    newest: newest !== null && (row === null || row.revision <= newest.revision) ? newest : null,
    edits: laterEdits(parseEdits(stored?.edits ?? null), newest?.edits ?? null),
  };
}

/** Returns the newest version of a file in the read model. Null for an unknown or erased file. */
export async function readStoredVersion(env: Env, owner: Owner, fileId: string): Promise<number | null> {
  const { row, erasures } = await readRow(env, owner, fileId);
  if (row === null) return null;
  const erased = erasures.get(userHash(owner.partner_id, row.user_id)) ?? 0;
  return row.version > erased ? row.version : null;
}

/** Returns a file's row, and the bounds of erasures that may cover it, by user hash. */
async function readRow(
  env: Env,
  owner: Owner,
  fileId: string,
): Promise<{ row: FileRow | null; erasures: ReadonlyMap<string, number> }> {
  const partnerId = owner.partner_id;
  const db = databaseFor(env, owner);
  const [rows, erasures] = await db.batch<FileRow>([
    db
      .prepare(
        `SELECT f.*, ${RELEASED_BY} AS released_by FROM files f WHERE f.partner_id = ? AND f.file_id = ?`,
      )
      .bind(partnerId, fileId),
    readErasuresOfRoute(db, partnerId, fileId.slice(0, ROUTE_LENGTH)),
  ]);
  return { row: rows?.results[0] ?? null, erasures: erasuresOf(erasures) };
}

/** The object with a file's bytes: the readable version's, else the failed version's. */
export interface StoredOriginal {
  objectKey: string | null;
  /** Whether the bytes are the readable version's. */
  isImported: boolean;
  startTimeInSeconds: number;
}

/** Returns null for an unknown file, and a null key when its bytes are not stored. Throws as `readNewest` does. */
export async function readOriginal(env: Env, owner: Owner, fileId: string): Promise<StoredOriginal | null> {
  const { row, newest } = await readNewest(env, owner, fileId);
  const known = row ?? newest;
  if (known === null) return null;
  return {
    objectKey: row?.object_key ?? row?.failed_object_key ?? newest?.failed_object?.key ?? null,
    isImported: row !== null && row.object_key !== null,
    startTimeInSeconds: Number(known.start_time_in_seconds),
  };
}

export interface FileFilters {
  user_id?: string | undefined;
  source?: string | undefined;
  status?: FileStatus | undefined;
  /** Code of the file's `error`. */
  error_code?: FileErrorCode | undefined;
  import_id?: string | undefined;
  /** Together with user_id and source it names one file. */
  summary_id?: string | undefined;
  /** Part of the summary_id or of the activity_name. */
  name_contains?: string | undefined;
  /** Unix milliseconds; at or after. */
  received_after?: number | undefined;
  /** Unix milliseconds; before. */
  received_before?: number | undefined;
  /** Unix milliseconds. Orders files by update, ascending. */
  updated_since?: number | undefined;
  /** With `updated_since`: also returns removed files. Of the filters, only user_id and source apply to them. */
  include_deleted?: boolean | undefined;
}

/**
 * Maximum number of rows that one page of a list skips. A skipped row costs six of D1's rows read. With a filter by
 * status, a held row costs two more.
 */
const ROWS_TO_WALK = 2_000;
/** The same for a list with removals, which may have thousands of ids in one row. */
const REMOVALS_TO_WALK = 1_000;

/** A position in the order of batches: time (received_at, or updated_at with updated_since), batch, file. */
export type FilePosition = [timeMs: number, firstFileId: string, batchId: string, fileId: string];

interface WalkedFile extends FileRow, Walked {
  walked_time: number;
  walked_first: string;
  walked_batch: string;
  walked_file: string;
  /** 1 for a removed file, whose row has no other columns. */
  is_removed: 0 | 1;
}

/** Files to list: a partner's, or those of the user with this route. */
interface FileList {
  partnerId: string;
  route: string | null;
  /** Beginning of the ids of removed files to list. Null for all. */
  prefix: string | null;
  filters: FileFilters;
}

/**
 * Returns at most `limit` files after the position, newest first, or ascending by update with `updated_since`. A page
 * skips a bounded number of files that the filters exclude, so it may be short although more files follow.
 */
export async function listFiles(
  env: Env,
  owner: Owner,
  filters: FileFilters,
  { limit, after }: { limit: number; after: FilePosition | null },
): Promise<Page<File | RemovedFile, FilePosition>> {
  const { user_id, source, summary_id, import_id } = filters;
  if (import_id !== undefined && !isId(import_id)) return { rows: [], next: null, rowsRead: 0 };
  const partnerId = owner.partner_id;
  const db = databaseFor(env, owner);
  if (user_id !== undefined && source !== undefined && summary_id !== undefined) {
    const id = fileId({ partnerId, userId: user_id, source, summaryId: summary_id });
    return { rows: await filesById(db, partnerId, id, filters), next: null, rowsRead: 1 };
  }
  const named = import_id ?? (user_id === undefined ? null : idPrefix(partnerId, user_id, source));
  const list = {
    partnerId,
    route: named?.slice(0, ROUTE_LENGTH) ?? null,
    prefix: named?.slice(0, COLLECTOR_LENGTH) ?? null,
    filters,
  };
  const page = await readPage<WalkedFile, FilePosition>(
    { limit, after, rowsToWalk: filters.include_deleted === true ? REMOVALS_TO_WALK : ROWS_TO_WALK },
    async (position, bounds) => walkFiles(db, list, position, bounds),
    (row) => [row.walked_time, row.walked_first, row.walked_batch, row.walked_file],
  );
  return {
    ...page,
    rows: page.rows.map((row) =>
      row.is_removed === 1
        ? { file_id: row.walked_file, deleted_at: instantOf(row.walked_time) }
        : fileOf(row),
    ),
  };
}

/** Returns the file with this id, unless the filters exclude it. */
async function filesById(
  db: D1Database,
  partnerId: string,
  id: string,
  filters: FileFilters,
): Promise<File[]> {
  const where = filtered(new Where().and("f.partner_id = ? AND f.file_id = ?", partnerId, id), filters);
  if (filters.updated_since !== undefined) {
    where.and(`f.updated_at >= ? AND f.updated_at < ${DATABASE_NOW}`, filters.updated_since);
  }
  const found = await db
    .prepare(`SELECT f.*, ${RELEASED_BY} AS released_by FROM files f WHERE ${where.sql}`)
    .bind(...where.values)
    .all<FileRow>();
  return found.results.map((row) => fileOf(row));
}

async function walkFiles(
  db: D1Database,
  list: FileList,
  after: FilePosition | null,
  bounds: WalkBounds,
): Promise<D1Result<WalkedFile>> {
  const { partnerId, prefix, filters } = list;
  const by = filters.updated_since === undefined ? "receipt" : "update";
  const removals = filters.include_deleted === true;
  const walk = walkBatches({
    ...list,
    by,
    since: filters.updated_since,
    received: { after: filters.received_after, before: filters.received_before },
    after,
    again: false,
    removals,
  });
  const on = filtered(
    new Where()
      .and("f.partner_id = ? AND f.file_id = w.file_id", partnerId)
      .and(`f.${by === "receipt" ? "received_batch" : "updated_batch"} = w.batch_id`),
    filters,
  );
  // A removed file that was pinged again is listed with its later change.
  const removed = new Where()
    .and("w.removed = 'files'")
    .and("substr(w.file_id, 1, length(?)) = ?", prefix ?? "", prefix ?? "")
    .and("NOT EXISTS (SELECT 1 FROM files g WHERE g.partner_id = ? AND g.file_id = w.file_id)", partnerId);
  return db
    .prepare(
      `SELECT f.*, ${RELEASED_BY} AS released_by FROM (
         SELECT w.n, w.time AS walked_time, w.first_file_id AS walked_first, w.batch_id AS walked_batch,
           w.file_id AS walked_file, w.is_removed, f.file_id IS NOT NULL OR w.is_removed AS is_match, w.n = ? AS is_end,
           f.*
         FROM (SELECT w.*, coalesce(${removed.sql}, 0) AS is_removed FROM ${walked(walk.sql)}) w
         LEFT JOIN files f ON ${on.sql}
         WHERE f.file_id IS NOT NULL OR w.is_removed OR w.n = ? ORDER BY w.n LIMIT ?) f
       ORDER BY f.n`,
    )
    .bind(
      bounds.rows,
      ...removed.values,
      ...walk.values,
      bounds.rows,
      ...on.values,
      bounds.rows,
      bounds.matches,
    )
    .all<WalkedFile>();
}

/** Adds the filters as conditions on a file `f`. */
function filtered(where: Where, filters: FileFilters): Where {
  const { user_id, source, status, error_code, import_id, received_after, received_before } = filters;
  where.andEqual("f.user_id", user_id).andEqual("f.source", source);
  where.andContains(
    ["f.summary_id", "coalesce(f.edits ->> '$.activity_name', f.activity_name)"],
    filters.name_contains,
  );
  if (received_after !== undefined) where.and("f.received_at >= ?", received_after);
  if (received_before !== undefined) where.and("f.received_at < ?", received_before);
  if (import_id !== undefined) {
    const prefix = collectorPrefixOf(import_id);
    where.and("f.file_id >= ? AND f.file_id < ?", prefix, rangeEnd(prefix));
    where.and(`(f.import_id = ? OR ${RELEASED_BY} = ?)`, import_id, import_id);
  }
  if (error_code !== undefined)
    where.and("f.status IN ('failed', 'skipped') AND f.error ->> 'code' = ?", error_code);
  return status === undefined ? where : where.and(statusCondition(status));
}

/** A walk over files of a partner, or of the user with this route, in the order of their batches. */
interface BatchWalk {
  partnerId: string;
  route: string | null;
  /** Newest receipt first, or by change, oldest first. */
  by: "receipt" | "update";
  /** Unix milliseconds. A walk by `update` begins here. */
  since: number | undefined;
  /** Unix milliseconds, from `after` to before `before`: a walk by `receipt` reads only these batches. */
  received?: { after: number | undefined; before: number | undefined };
  after: FilePosition | null;
  /** Whether the file at the position is walked again. */
  again: boolean;
  /** Whether a walk by `update` returns the files of removals. Without, it returns one row without a file for each batch. */
  removals: boolean;
}

/**
 * Returns the sub-select of a walk over batches: `time`, `first_file_id`, `batch_id` and `file_id` of each listed file,
 * and for a removal also its kind in `removed` and its lost sessions, from `from_session` to before `to_session`.
 */
export function walkBatches(list: BatchWalk): { sql: string; values: (string | number | null)[] } {
  const { partnerId, route, by, since, received, after, again, removals } = list;
  const byUpdate = by === "update";
  const time = byUpdate ? "b.updated_at" : "b.received_at";
  const where = new Where().and("b.partner_id = ?", partnerId).andEqual("b.user_route", route ?? undefined);
  if (!byUpdate) where.and("b.received_at IS NOT NULL");
  if (!byUpdate && received?.after !== undefined) where.and("b.received_at >= ?", received.after);
  if (!byUpdate && received?.before !== undefined) where.and("b.received_at < ?", received.before);
  const [way, compared] = byUpdate ? ["ASC", ">"] : ["DESC", "<"];
  if (after !== null) {
    where.and(`(${time}, b.first_file_id, b.batch_id) ${compared}= (?, ?, ?)`, ...after.slice(0, 3));
    where.and(
      `(${time}, b.first_file_id, b.batch_id, ${listedId()}) ${compared}${again ? "=" : ""} (?, ?, ?, ?)`,
      ...after,
    );
  } else if (since !== undefined) where.and("b.updated_at >= ?", since);
  // Rows of the current millisecond wait for the next poll: more of them may still be written.
  if (byUpdate) where.and(`b.updated_at < ${DATABASE_NOW}`);
  const from =
    route === null
      ? `file_batches b INDEXED BY file_batches_by_${by}`
      : byUpdate
        ? "file_batches b"
        : "file_batches b INDEXED BY file_batches_of_user_by_receipt";
  const sessions = removedSessions();
  // One row without a file stands for skipped removals, so that the walk counts the batches that it reads.
  const listed =
    removals || !byUpdate ? "b.file_ids" : `CASE WHEN b.removed IS NULL THEN b.file_ids ELSE '[""]' END`;
  return {
    sql: `SELECT ${time} AS time, b.first_file_id, b.batch_id, ${listedId()} AS file_id,
        ${removals ? "b.removed" : "NULL"} AS removed,
        ${sessions.from} AS from_session, ${sessions.to} AS to_session
      FROM ${from} CROSS JOIN json_each(${listed}) j WHERE ${where.sql}
      ORDER BY ${time} ${way}, b.first_file_id ${way}, b.batch_id ${way}, j.value ${way}`,
    values: where.values,
  };
}

function statusCondition(status: FileStatus): string {
  switch (status) {
    case "held":
    case "queued":
      return `${READ_STATUS} = '${status}'`;
    // The row has these statuses as partners read them. No lookup of the import is needed.
    case "imported":
    case "failed":
    case "skipped":
      return `f.status = '${status}'`;
  }
}
