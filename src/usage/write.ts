import { z } from "zod";
import { DAY_MS } from "../contract/limits.ts";
import { DATABASE_NOW } from "../database/sql.ts";
import type { RequestCounts } from "./days.ts";
import type { Usage } from "./usage.ts";

const dueRows = z.array(
  z.object({
    partner_id: z.string(),
    files: z.number(),
    stored_bytes: z.number(),
    removal_bytes: z.number(),
  }),
);
export type DueUsage = Usage & { partner_id: string };

/** Returns the usage of at most `limit` partners with outdated published usage, the longest outdated first. */
export async function readDueUsage(db: D1Database, limit: number): Promise<DueUsage[]> {
  const found = await db
    .prepare(
      `SELECT partner_id, files, stored_bytes, removal_bytes FROM partner_usage INDEXED BY partner_usage_due
       WHERE due_since IS NOT NULL ORDER BY due_since LIMIT ?`,
    )
    .bind(limit)
    .all();
  return dueRows.parse(found.results);
}

/** Records the published usage. A partner stays due if its usage has changed since it was read. */
export async function markPublished(db: D1Database, published: readonly DueUsage[]): Promise<void> {
  await db
    .prepare(
      `UPDATE partner_usage SET published_files = j.value->>'files', published_bytes = j.value->>'stored_bytes',
         due_since = CASE WHEN files = j.value->>'files' AND stored_bytes = j.value->>'stored_bytes'
           AND removal_bytes = j.value->>'removal_bytes' THEN NULL
           ELSE due_since END
       FROM json_each(?1) j WHERE partner_usage.partner_id = j.value->>'partner_id'`,
    )
    .bind(JSON.stringify(published))
    .run();
}

/** Adds requests to a partner's current day. Writes one row. */
export async function addRequests(db: D1Database, partnerId: string, counts: RequestCounts): Promise<void> {
  await db
    .prepare(
      `INSERT INTO usage_days (partner_id, day, status_2xx, status_4xx, status_429, status_5xx)
       VALUES (?1, ${DATABASE_NOW} / ${DAY_MS}, ?2, ?3, ?4, ?5)
       ON CONFLICT (partner_id, day) DO UPDATE SET status_2xx = status_2xx + excluded.status_2xx,
         status_4xx = status_4xx + excluded.status_4xx, status_429 = status_429 + excluded.status_429,
         status_5xx = status_5xx + excluded.status_5xx`,
    )
    .bind(partnerId, counts.status_2xx, counts.status_4xx, counts.status_429, counts.status_5xx)
    .run();
}

/** Deletes at most `limit` days before `day`. Returns their number. */
export async function deleteOldDays(db: D1Database, day: number, limit: number): Promise<number> {
  const { meta } = await db
    .prepare(
      `DELETE FROM usage_days WHERE (partner_id, day) IN (
         SELECT partner_id, day FROM usage_days INDEXED BY usage_days_by_age WHERE day < ?1 LIMIT ?2)`,
    )
    .bind(day, limit)
    .run();
  return meta.changes;
}
