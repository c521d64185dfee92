import { databaseFor } from "../database.ts";
import type { Env } from "../env.ts";
import type { FileErrorCode, FileStatus } from "../files/file.ts";
import { batched, TAKEN_BY } from "../files/read.ts";
import { instantOf } from "../rows.ts";
import type { FilesByStatus, Overview } from "./overview.ts";

const DAY_MS = 24 * 60 * 60_000;
/** Two weeks show a habit and its break. */
const DAYS = 14;
/** Rows that one look may cost: far more than most partners send in two weeks, and read in well under a second. */
export const MAX_ROWS = 10_000;

interface FileCount {
  day: number;
  status: FileStatus;
  code: FileErrorCode | null;
  files: number;
  oldest: number;
}

const none = (): FilesByStatus => ({ held: 0, queued: 0, imported: 0, failed: 0 });

/**
 * Counts a partner's files, imports and events of the last 14 UTC days. Of each, only the newest 10,000 are
 * looked at, along the index of their order; `capped` says that there were more.
 */
export async function readOverview(env: Env, partnerId: string, nowMs: number): Promise<Overview> {
  const firstDay = Math.floor(nowMs / DAY_MS) - (DAYS - 1);
  const since = firstDay * DAY_MS;
  const database = databaseFor(env, partnerId, null);
  const bound = [partnerId, since, MAX_ROWS];
  const [files, imports, events] = await Promise.all([
    database
      .prepare(
        `SELECT received_at / ${DAY_MS} AS day, status, code, count(*) AS files, min(received_at) AS oldest
         FROM (SELECT f.received_at, CASE WHEN f.status = 'failed' THEN f.error ->> 'code' END AS code,
             CASE WHEN ${TAKEN_BY} IS NULL THEN f.status ELSE 'queued' END AS status
           FROM ${batched("receipt")} WHERE b.partner_id = ? AND b.received_at >= ?
           ORDER BY b.received_at DESC LIMIT ?)
         GROUP BY day, status, code`,
      )
      .bind(...bound)
      .all<FileCount>(),
    database
      .prepare(
        `SELECT count(*) AS looked_at, coalesce(sum(status = 'running'), 0) AS running
         FROM (SELECT status FROM imports WHERE partner_id = ? AND requested_at >= ?
           ORDER BY requested_at DESC, import_id DESC LIMIT ?)`,
      )
      .bind(...bound)
      .first<{ looked_at: number; running: number }>(),
    database
      .prepare(
        `SELECT count(*) AS looked_at, coalesce(sum(status = 'failed'), 0) AS failed,
           coalesce(sum(status IN ('pending', 'waiting')), 0) AS pending,
           coalesce(sum(status = 'pending' AND attempt_count > 0), 0) AS retrying
         FROM (SELECT status, attempt_count FROM deliveries
           WHERE partner_id = ? AND kind = 'event' AND created_at >= ?
           ORDER BY created_at DESC, delivery_id DESC LIMIT ?)`,
      )
      .bind(...bound)
      .first<{ looked_at: number; pending: number; retrying: number; failed: number }>(),
  ]);
  const total = none();
  const days = Array.from({ length: DAYS }, (_, index) => ({
    day: instantOf((firstDay + index) * DAY_MS).slice(0, 10),
    ...none(),
  }));
  const failures = new Map<FileErrorCode, number>();
  for (const row of files.results) {
    total[row.status] += row.files;
    // A receipt ahead of this clock belongs to today.
    const day = days[Math.min(DAYS - 1, row.day - firstDay)];
    if (day !== undefined) day[row.status] += row.files;
    if (row.code !== null) failures.set(row.code, (failures.get(row.code) ?? 0) + row.files);
  }
  const held = files.results.filter((row) => row.status === "held").map((row) => row.oldest);
  const lookedAt = files.results.reduce((sum, row) => sum + row.files, 0);
  return {
    since: instantOf(since),
    capped: [lookedAt, imports?.looked_at ?? 0, events?.looked_at ?? 0].some((rows) => rows >= MAX_ROWS),
    files: total,
    days,
    failures: [...failures]
      .map(([code, files]) => ({ code, files }))
      .sort((a, b) => b.files - a.files || (a.code < b.code ? -1 : 1)),
    held: { files: total.held, oldest_received_at: held.length === 0 ? null : instantOf(Math.min(...held)) },
    imports: { running: imports?.running ?? 0 },
    events: {
      pending: events?.pending ?? 0,
      retrying: events?.retrying ?? 0,
      failed: events?.failed ?? 0,
    },
  };
}
