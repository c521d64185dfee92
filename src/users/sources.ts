import { z } from "zod";
import { notErased } from "../erasure/guard.ts";
import { jsonSlices } from "../database/sql.ts";

/** A source of a user, whose files one collector owns. */
export interface UserSource {
  user_id: string;
  user_hash: string;
  source: string;
  /** The newest version of its files. An erasure that reaches as far covers the source. */
  version: number;
}

/** Lists sources of users, so that an erasure finds their collectors. Lists none that an erasure covers. */
export function introduceSources(
  db: D1Database,
  partnerId: string,
  sources: readonly UserSource[],
): D1PreparedStatement[] {
  return jsonSlices(sources).map((slice) =>
    db
      .prepare(
        `INSERT INTO user_sources (partner_id, user_id, source, version)
         SELECT ?1, j.value->>'user_id', j.value->>'source', j.value->>'version'
         FROM json_each(?2) j WHERE ${notErased("j.value->>'user_hash'", "j.value->>'version'")}
         ON CONFLICT (partner_id, user_id, source) DO UPDATE SET version = excluded.version
         WHERE excluded.version > version`,
      )
      .bind(partnerId, slice),
  );
}

const sourceRows = z.array(z.object({ source: z.string() }));

/** At most `limit` sources of a user after this one, by name; an empty one stands for none. */
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
