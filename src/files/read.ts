import { z } from "@hono/zod-openapi";
import { databaseFor } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { FIT_WARNINGS } from "../fit/types.ts";
import { collectorOfId } from "../collector/client.ts";
import { erasuresOf, readErasuresOfRoute } from "../erasure/read.ts";
import {
  activityId,
  collectorPrefixOf,
  fileId,
  idPrefix,
  isId,
  rangeEnd,
  ROUTE_LENGTH,
  userHash,
} from "../identifiers.ts";
import { instantOf, parseColumn } from "../database/rows.ts";
import { DATABASE_NOW, Where } from "../database/sql.ts";
import { fileErrorSchema, type File, type FileStatus } from "./file.ts";
import { parsePingFields, pingFieldsOf, type PingFields } from "./pingFields.pure.ts";
import type { FileProjection } from "./write.ts";

/**
 * SQL for the import that has taken a file `f` which is still held in its row: a task writes one row of its own and
 * none of theirs. Null when none has. Imports of a user and source follow one another, so it is the first that
 * reaches as far: one row is looked at, however many there are.
 */
export const TAKEN_BY = `CASE WHEN f.status = 'held' THEN (
  SELECT CASE WHEN i.after_version < f.version THEN i.import_id END FROM imports i INDEXED BY imports_by_versions
  WHERE i.partner_id = f.partner_id AND i.user_id = f.user_id AND i.source = f.source
    AND i.through_version >= f.version AND i.through_version > i.after_version
  ORDER BY i.through_version LIMIT 1) END`;

/** SQL for the status that a partner reads of a file `f`: one that is held, but taken by a task, reads as queued. */
export const READ_STATUS = `CASE WHEN ${TAKEN_BY} IS NULL THEN f.status ELSE 'queued' END`;

interface FileRow extends Record<keyof PingFields, unknown> {
  file_id: string;
  user_id: string;
  source: string;
  summary_id: string;
  status: FileStatus;
  attempts: number;
  import_id: string | null;
  taken_by: string | null;
  error: string | null;
  sha256: string | null;
  size_in_bytes: number | null;
  warnings: string;
  activity_count: number;
  version: number;
  revision: number;
  received_at: number;
  updated_at: number;
}

const warningsColumn = z.array(z.enum(FIT_WARNINGS));

function fileOf(row: FileRow): File {
  const status = row.taken_by === null ? row.status : "queued";
  const faulty = status === "failed" || status === "queued";
  return {
    file_id: row.file_id,
    user_id: row.user_id,
    source: row.source,
    summary_id: row.summary_id,
    ...parsePingFields(row),
    status,
    attempts: row.attempts,
    import_id: row.taken_by ?? row.import_id,
    error: faulty && row.error !== null ? parseColumn(fileErrorSchema, row.error) : null,
    sha256: row.sha256,
    size_in_bytes: row.size_in_bytes,
    warnings: parseColumn(warningsColumn, row.warnings),
    activity_ids: Array.from({ length: row.activity_count }, (_, index) => activityId(row.file_id, index)),
    received_at: instantOf(row.received_at),
    updated_at: instantOf(row.updated_at),
  };
}

/** The file with the state of its newest version, which its collector knows before the read model does. */
function withNewest(file: File | null, newest: FileProjection): File {
  const { file_id, user_id, source, summary_id, status, attempts, import_id, error, failed_object } = newest;
  const received_at = instantOf(newest.received_at);
  return {
    file_id,
    user_id,
    source,
    summary_id,
    ...pingFieldsOf(newest),
    status,
    attempts,
    import_id,
    error,
    sha256: file?.sha256 ?? failed_object?.sha256 ?? null,
    size_in_bytes: file?.size_in_bytes ?? failed_object?.size_in_bytes ?? null,
    warnings: file?.warnings ?? [],
    activity_ids: file?.activity_ids ?? [],
    received_at,
    updated_at: file !== null && file.updated_at > received_at ? file.updated_at : received_at,
  };
}

/**
 * Reads one file: the newest version from its collector, unless the importer has brought the read model further; bytes
 * and activities from the read model. Null for an unknown or erased file. Throws when the read model cannot be read, or
 * does not have the file and the collector cannot be reached.
 */
export async function readFile(env: Env, partnerId: string, fileId: string): Promise<File | null> {
  if (!isId(fileId)) return null;
  const askCollector = async (): Promise<FileProjection | null> =>
    collectorOfId(env, partnerId, fileId).readFile(fileId);
  const [found, [asked]] = await Promise.all([
    readRow(env, partnerId, fileId),
    Promise.allSettled([askCollector()]),
  ]);
  const newest = asked.status === "fulfilled" ? asked.value : null;
  // Imported between the two reads: the importer writes the activities before it reports to the collector.
  const isOutdated = newest?.status === "imported" && (found.row?.revision ?? 0) < newest.revision;
  const { row, erasures } = isOutdated ? await readRow(env, partnerId, fileId) : found;
  if (row === null && asked.status === "rejected") throw asked.reason;
  // An erasure may still have to delete rows, and to reach a collector. What it covers is gone from its answer on.
  const remains = ({ user_id, version }: { user_id: string; version: number }) =>
    version > (erasures.get(userHash(partnerId, user_id)) ?? 0);
  const file = row !== null && remains(row) ? fileOf(row) : null;
  if (newest === null || !remains(newest) || (row !== null && row.revision > newest.revision)) return file;
  return withNewest(file, newest);
}

/** A file's row, with the bounds of erasures that may cover it, by user hash. */
async function readRow(
  env: Env,
  partnerId: string,
  fileId: string,
): Promise<{ row: FileRow | null; erasures: ReadonlyMap<string, number> }> {
  const db = databaseFor(env, partnerId);
  const [rows, erasures] = await db.batch<FileRow>([
    db
      .prepare(`SELECT f.*, ${TAKEN_BY} AS taken_by FROM files f WHERE f.partner_id = ? AND f.file_id = ?`)
      .bind(partnerId, fileId),
    readErasuresOfRoute(db, partnerId, fileId.slice(0, ROUTE_LENGTH)),
  ]);
  return { row: rows?.results[0] ?? null, erasures: erasuresOf(erasures) };
}

/** Where a file's bytes lie: the readable version's, else those that could not be imported. */
export interface StoredOriginal {
  objectKey: string | null;
  /** Whether they are the readable version's. */
  isImported: boolean;
  startTimeInSeconds: number;
}

/** Null when there is no such file; a null key when no bytes of it are stored. */
export async function readOriginal(
  env: Env,
  partnerId: string,
  fileId: string,
): Promise<StoredOriginal | null> {
  if (!isId(fileId)) return null;
  const row = await databaseFor(env, partnerId)
    .prepare(
      `SELECT coalesce(object_key, failed_object_key) AS object_key, start_time_in_seconds,
         object_key IS NOT NULL AS is_imported
       FROM files WHERE partner_id = ? AND file_id = ?`,
    )
    .bind(partnerId, fileId)
    .first<{ object_key: string | null; start_time_in_seconds: string; is_imported: 0 | 1 }>();
  if (row === null) return null;
  return {
    objectKey: row.object_key,
    isImported: row.is_imported === 1,
    startTimeInSeconds: Number(row.start_time_in_seconds),
  };
}

export interface FileFilters {
  user_id?: string | undefined;
  source?: string | undefined;
  status?: FileStatus | undefined;
  import_id?: string | undefined;
  /** With user_id and source, which together name one file. */
  summary_id?: string | undefined;
  /** Unix milliseconds; turns the order into ascending by update. */
  updated_since?: number | undefined;
}

/** The time (received_at, or updated_at with updated_since) and id of the last row. */
export type FilePosition = [timeMs: number, fileId: string];

/** At most `limit` files after the position, newest first, or ascending by update with `updated_since`. */
export async function listFiles(
  env: Env,
  partnerId: string,
  filters: FileFilters,
  { limit, after }: { limit: number; after: FilePosition | null },
): Promise<File[]> {
  if (filters.import_id !== undefined && !isId(filters.import_id)) return [];
  const byUpdate = filters.updated_since !== undefined;
  const { user_id: userId, source, summary_id: summaryId } = filters;
  const prefix =
    filters.import_id !== undefined
      ? collectorPrefixOf(filters.import_id)
      : userId === undefined
        ? null
        : idPrefix(partnerId, userId, source);
  const where = new Where().and(prefix === null ? "b.partner_id = ?" : "f.partner_id = ?", partnerId);
  if (prefix === null && !byUpdate) where.and("b.received_at IS NOT NULL");
  if (prefix !== null) where.and("f.file_id >= ? AND f.file_id < ?", prefix, rangeEnd(prefix));
  where.andEqual("f.user_id", userId).andEqual("f.source", source);
  if (summaryId !== undefined && userId !== undefined && source !== undefined) {
    where.and("f.file_id = ?", fileId({ partnerId, userId, source, summaryId }));
  }
  if (filters.status !== undefined) where.and(statusCondition(filters.status));
  if (filters.import_id !== undefined) {
    where.and(`(f.import_id = ? OR ${TAKEN_BY} = ?)`, filters.import_id, filters.import_id);
  }
  // A user's rows are stored together: sort them. A partner's rows are found along its batches.
  const time = `${prefix === null ? "b" : "f"}.${byUpdate ? "updated_at" : "received_at"}`;
  if (after !== null) {
    where.and(`${time} ${byUpdate ? ">=" : "<="} ?`, after[0]);
    where.and(`(${time}, f.file_id) ${byUpdate ? ">" : "<"} (?, ?)`, ...after);
  } else if (filters.updated_since !== undefined) where.and(`${time} >= ?`, filters.updated_since);
  // Rows of the current millisecond wait for the next poll: more of them may still be written.
  if (byUpdate) where.and(`${time} < ${DATABASE_NOW}`);
  const order = byUpdate ? `${time}, f.file_id` : `${time} DESC, f.file_id DESC`;
  const rows = prefix === null ? batched(byUpdate ? "update" : "receipt") : "files f";
  const found = await databaseFor(env, partnerId)
    .prepare(
      `SELECT f.*, ${TAKEN_BY} AS taken_by
       FROM (SELECT f.* FROM ${rows} WHERE ${where.sql} ORDER BY ${order} LIMIT ?) f
       ORDER BY ${order.replaceAll("b.", "f.")}`,
    )
    .bind(...where.values, limit)
    .all<FileRow>();
  return found.results.map(fileOf);
}

/** SQL for a partner's files `f` with their batches `b`, along the order of their receipt or their last change. */
function batched(by: "receipt" | "update"): string {
  const column = by === "receipt" ? "received_batch" : "updated_batch";
  return `file_batches b INDEXED BY file_batches_by_${by} CROSS JOIN json_each(b.file_ids) j
    CROSS JOIN files f ON f.partner_id = b.partner_id AND f.file_id = j.value AND f.${column} = b.batch_id`;
}

function statusCondition(status: FileStatus): string {
  switch (status) {
    case "held":
    case "queued":
      return `${READ_STATUS} = '${status}'`;
    // These stand in the row as they are read, so no held file's import is looked for.
    case "imported":
    case "failed":
      return `f.status = '${status}'`;
  }
}
