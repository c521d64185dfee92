import { z } from "zod";
import { databaseFor, type Owner } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { READ_STATUS } from "../files/read.ts";
import { rangeEnd, userRoute } from "../identifiers.ts";
import { instantOf, parseColumn } from "../database/rows.ts";
import { Where } from "../database/sql.ts";
import { pageOfSorted, type Page } from "../database/walk.ts";
import { MAX_COUNTED_FILES, MAX_COUNTED_IMPORTS, type User, type UserWithSources } from "./user.ts";

export interface UserRow {
  user_id: string;
  last_ping_at: number;
  created_at: number;
}

interface SourceRow {
  source: string;
  total: number;
  held: number;
  queued: number;
  imported: number;
  failed: number;
  skipped: number;
  activities: number;
  last_ping_at: number;
  oldest_held_at: number | null;
}

const importIdsColumn = z.array(z.string());

export function userOf(row: UserRow): User {
  return {
    user_id: row.user_id,
    last_ping_at: instantOf(row.last_ping_at),
    created_at: instantOf(row.created_at),
  };
}

function instantOrNull(unixMs: number | null): string | null {
  return unixMs === null ? null : instantOf(unixMs);
}

/**
 * Returns a user with its sources and running imports, or null for an unknown user. Calls `count` with the number of rows
 * that the queries read.
 */
export async function readUser(
  env: Env,
  owner: Owner,
  userId: string,
  count: (rows: number) => void,
): Promise<UserWithSources | null> {
  const partnerId = owner.partner_id;
  const route = userRoute(partnerId, userId);
  const db = databaseFor(env, owner);
  const inRange = [partnerId, route, rangeEnd(route), userId];
  const user = await db
    .prepare("SELECT user_id, last_ping_at, created_at FROM users WHERE partner_id = ? AND user_id = ?")
    .bind(partnerId, userId)
    .first<UserRow>();
  if (user === null) return null;
  const [sources, importRows] = await Promise.all([
    // Without LIMIT, SQLite would flatten the inner query and look up the import for each use of `status`.
    db
      .prepare(
        `SELECT e.source, count(*) AS total, sum(e.status = 'held') AS held, sum(e.status = 'queued') AS queued,
           sum(e.status = 'imported') AS imported, sum(e.status = 'failed') AS failed,
           sum(e.status = 'skipped') AS skipped,
           sum(e.activity_count) AS activities, max(e.received_at) AS last_ping_at,
           min(CASE WHEN e.status = 'held' THEN e.received_at END) AS oldest_held_at
         FROM (
           SELECT f.source, f.activity_count, f.received_at, ${READ_STATUS} AS status
           FROM files f WHERE f.partner_id = ? AND f.file_id >= ? AND f.file_id < ? AND f.user_id = ?
           LIMIT ${MAX_COUNTED_FILES}) e
         GROUP BY e.source ORDER BY e.source`,
      )
      .bind(...inRange)
      .all<SourceRow>(),
    db
      .prepare(
        `SELECT count(*) AS looked_at,
           json_group_array(import_id ORDER BY requested_at, import_id) FILTER (WHERE status = 'running') AS running
         FROM (SELECT import_id, status, requested_at FROM imports
           WHERE partner_id = ? AND import_id >= ? AND import_id < ? AND user_id = ? LIMIT ${MAX_COUNTED_IMPORTS})`,
      )
      .bind(...inRange)
      .all<{ looked_at: number; running: string }>(),
  ]);
  count(sources.meta.rows_read + importRows.meta.rows_read);
  const [imports] = importRows.results;
  const total = sources.results.reduce((sum, row) => sum + row.total, 0);
  const oldest = sources.results.flatMap((row) => (row.oldest_held_at === null ? [] : [row.oldest_held_at]));
  return {
    ...userOf(user),
    capped: total === MAX_COUNTED_FILES || imports?.looked_at === MAX_COUNTED_IMPORTS,
    sources: sources.results.map(({ source, activities, last_ping_at, oldest_held_at, ...files }) => ({
      source,
      files,
      activities,
      last_ping_at: instantOf(last_ping_at),
      oldest_held_received_at: instantOrNull(oldest_held_at),
    })),
    running_import_ids: parseColumn(importIdsColumn, imports?.running ?? "[]"),
    held: sources.results.reduce((sum, row) => sum + row.held, 0),
    oldest_held_received_at: instantOrNull(oldest.length === 0 ? null : Math.min(...oldest)),
  };
}

/** The user id of the last row of a page. */
export type UserPosition = [userId: string];

/** Returns at most `limit` users after the position whose ids begin with `prefix`, ordered by the UTF-8 bytes of their ids. */
export async function listUsers(
  env: Env,
  owner: Owner,
  prefix: string,
  { limit, after }: { limit: number; after: UserPosition | null },
): Promise<Page<User, UserPosition>> {
  const where = new Where().and("partner_id = ?", owner.partner_id);
  if (prefix !== "") where.and("user_id >= ? AND user_id < ?", prefix, rangeEnd(prefix));
  if (after !== null) where.and("user_id > ?", ...after);
  const found = await databaseFor(env, owner)
    .prepare(
      `SELECT user_id, last_ping_at, created_at FROM users WHERE ${where.sql} ORDER BY user_id LIMIT ?`,
    )
    .bind(...where.values, limit + 1)
    .all<UserRow>();
  const page = pageOfSorted(found.results, limit, found.meta, (row): UserPosition => [row.user_id]);
  return { ...page, rows: page.rows.map(userOf) };
}
