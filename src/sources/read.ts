import { z } from "zod";
import type { CollectorAddress } from "../collector/calls.ts";

const sourceRows = z.array(z.object({ source: z.string() }));

/** Returns at most `limit` sources of a user after `after`, by name. The empty string is before all names. */
export async function readSources(
  db: D1Database,
  partnerId: string,
  userId: string,
  after: string,
  limit: number,
): Promise<string[]> {
  const found = await db
    .prepare(
      "SELECT source FROM user_sources WHERE partner_id = ? AND user_id = ? AND source > ? ORDER BY source LIMIT ?",
    )
    .bind(partnerId, userId, after, limit)
    .all();
  return sourceRows.parse(found.results).map((row) => row.source);
}

const namesSchema = z.object({ partner_id: z.string(), user_id: z.string(), source: z.string() });

/** Returns the next sources of the round over all sources, at most `limit`. */
export async function readRound(db: D1Database, limit: number): Promise<CollectorAddress[]> {
  const { results } = await db
    .prepare(
      `SELECT s.partner_id, s.user_id, s.source FROM user_sources s
       WHERE (s.partner_id, s.user_id, s.source) > (
         coalesce((SELECT after_partner FROM source_rounds), ''),
         coalesce((SELECT after_user FROM source_rounds), ''),
         coalesce((SELECT after_source FROM source_rounds), ''))
       ORDER BY s.partner_id, s.user_id, s.source LIMIT ?`,
    )
    .bind(limit)
    .all();
  return z.array(namesSchema).parse(results);
}
