import { z } from "zod";
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
