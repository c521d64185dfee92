import { z } from "@hono/zod-openapi";
import { databaseFor } from "../database.ts";
import type { Env } from "../env.ts";
import { FIT_WARNINGS } from "../fit/types.ts";
import { activityId, rangeEnd, ROUTE_LENGTH, userRoute } from "../identifiers.ts";
import { instantOf, parseColumn } from "../rows.ts";
import { DATABASE_NOW } from "../sql.ts";
import { fileErrorSchema, type File, type FileStatus } from "./file.ts";

/** Of a file that is held in its row: the import whose task has taken it, before it settles there. */
const TAKEN_BY = `CASE WHEN f.status = 'held' THEN (
  SELECT i.import_id FROM imports i
  WHERE i.partner_id = f.partner_id
    AND i.import_id >= substr(f.file_id, 1, ${ROUTE_LENGTH})
    AND i.import_id < substr(f.file_id, 1, ${ROUTE_LENGTH}) || char(1114111)
    AND i.user_id = f.user_id AND i.source = f.source
    AND f.version > i.after_version AND f.version <= i.through_version
  LIMIT 1) END`;

/**
 * SQL for files with the status and import that hold at this moment: a task writes one row of its own and
 * none of theirs. The condition speaks of `f`.
 */
export function effectiveFiles(condition: string): string {
  return `SELECT t.*,
      CASE WHEN t.taken_by IS NULL THEN t.status ELSE 'queued' END AS effective_status,
      coalesce(t.taken_by, t.import_id) AS effective_import_id
    FROM (SELECT f.*, ${TAKEN_BY} AS taken_by FROM files f WHERE ${condition}) t`;
}

interface FileRow {
  file_id: string;
  user_id: string;
  source: string;
  summary_id: string;
  activity_name: string | null;
  priority: 0 | 1;
  overwrite_mode: 0 | 1;
  start_time_in_seconds: string;
  effective_status: FileStatus;
  attempts: number;
  effective_import_id: string | null;
  error: string | null;
  object_key: string | null;
  failed_object_key: string | null;
  sha256: string | null;
  size_in_bytes: number | null;
  warnings: string;
  activity_count: number;
  received_at: number;
  updated_at: number;
}

const warningsColumn = z.array(z.enum(FIT_WARNINGS));

function fileOf(row: FileRow): File {
  const faulty = row.effective_status === "failed" || row.effective_status === "queued";
  return {
    file_id: row.file_id,
    user_id: row.user_id,
    source: row.source,
    summary_id: row.summary_id,
    activity_name: row.activity_name,
    priority: row.priority,
    overwrite_mode: row.overwrite_mode === 1,
    start_time_in_seconds: row.start_time_in_seconds,
    status: row.effective_status,
    attempts: row.attempts,
    import_id: row.effective_import_id,
    error: faulty && row.error !== null ? parseColumn(fileErrorSchema, row.error) : null,
    sha256: row.sha256,
    size_in_bytes: row.size_in_bytes,
    warnings: parseColumn(warningsColumn, row.warnings),
    activity_ids: Array.from({ length: row.activity_count }, (_, index) => activityId(row.file_id, index)),
    received_at: instantOf(row.received_at),
    updated_at: instantOf(row.updated_at),
  };
}

async function readRow(env: Env, partnerId: string, fileId: string): Promise<FileRow | null> {
  return databaseFor(env, partnerId, fileId.slice(0, ROUTE_LENGTH))
    .prepare(effectiveFiles("f.partner_id = ?1 AND f.file_id = ?2"))
    .bind(partnerId, fileId)
    .first<FileRow>();
}

export async function readFile(env: Env, partnerId: string, fileId: string): Promise<File | null> {
  const row = await readRow(env, partnerId, fileId);
  return row === null ? null : fileOf(row);
}

/** Where a file's bytes lie: the readable version's, else those that could not be imported. */
export interface StoredOriginal {
  objectKey: string | null;
  startTimeInSeconds: number;
}

/** Null when there is no such file; a null key when no bytes of it are stored. */
export async function readOriginal(
  env: Env,
  partnerId: string,
  fileId: string,
): Promise<StoredOriginal | null> {
  const row = await readRow(env, partnerId, fileId);
  if (row === null) return null;
  return {
    objectKey: row.object_key ?? row.failed_object_key,
    startTimeInSeconds: Number(row.start_time_in_seconds),
  };
}

export interface FileFilters {
  user_id?: string | undefined;
  source?: string | undefined;
  status?: FileStatus | undefined;
  import_id?: string | undefined;
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
  const byUpdate = filters.updated_since !== undefined;
  const route =
    filters.user_id !== undefined
      ? userRoute(partnerId, filters.user_id)
      : (filters.import_id?.slice(0, ROUTE_LENGTH) ?? null);
  const inner = ["f.partner_id = ?"];
  const outer = ["true"];
  const innerValues: (string | number)[] = [partnerId];
  const outerValues: (string | number)[] = [];

  if (route !== null) {
    inner.push("f.file_id >= ?", "f.file_id < ?");
    innerValues.push(route, rangeEnd(route));
  }
  if (filters.user_id !== undefined) {
    inner.push("f.user_id = ?");
    innerValues.push(filters.user_id);
  }
  if (filters.source !== undefined) {
    inner.push("f.source = ?");
    innerValues.push(filters.source);
  }
  // A user's rows lie together, so they are sorted; a partner's are walked along the index of their order.
  const time = `${route === null ? "" : "+"}${byUpdate ? "f.updated_at" : "f.received_at"}`;
  if (filters.updated_since !== undefined) {
    // Rows of the current millisecond wait for the next look: more of them may still be written.
    inner.push(`${time} >= ?`, `${time} < ${DATABASE_NOW}`);
    innerValues.push(filters.updated_since);
  }
  if (after !== null) {
    inner.push(`(${time}, f.file_id) ${byUpdate ? ">" : "<"} (?, ?)`);
    innerValues.push(...after);
  }
  if (filters.status !== undefined) {
    outer.push("e.effective_status = ?");
    outerValues.push(filters.status);
  }
  if (filters.import_id !== undefined) {
    outer.push("e.effective_import_id = ?");
    outerValues.push(filters.import_id);
  }
  const order = byUpdate ? "updated_at, e.file_id" : "received_at DESC, e.file_id DESC";
  const found = await databaseFor(env, partnerId, route)
    .prepare(
      `SELECT * FROM (${effectiveFiles(inner.join(" AND "))}) e
       WHERE ${outer.join(" AND ")} ORDER BY e.${order} LIMIT ?`,
    )
    .bind(...innerValues, ...outerValues, limit)
    .all<FileRow>();
  return found.results.map(fileOf);
}
