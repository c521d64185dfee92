import type { CollectorAddress } from "../collector/calls.ts";
import { notErased } from "../erasure/guard.ts";
import { jsonSlices } from "../database/sql.ts";

/** A source of a user. One collector owns its files. */
export interface UserSource {
  user_id: string;
  user_hash: string;
  source: string;
  /** Newest version of its files. An erasure with a bound at or above it covers the source. */
  version: number;
}

/** Lists sources of users, so that an erasure finds their collectors. Skips sources that an erasure covers. */
export function introduceSources(
  db: D1Database,
  partnerId: string,
  sources: readonly UserSource[],
): D1PreparedStatement[] {
  return listSources(
    db,
    partnerId,
    sources,
    "DO UPDATE SET version = excluded.version WHERE excluded.version > version",
  );
}

/** Lists a source again after a restored database has lost it. Writes nothing when it is listed. */
export function relistSource(db: D1Database, partnerId: string, source: UserSource): D1PreparedStatement[] {
  return listSources(db, partnerId, [source], "DO NOTHING");
}

function listSources(
  db: D1Database,
  partnerId: string,
  sources: readonly UserSource[],
  whenListed: string,
): D1PreparedStatement[] {
  return jsonSlices(sources).map((slice) =>
    db
      .prepare(
        `INSERT INTO user_sources (partner_id, user_id, source, version)
         SELECT ?1, j.value->>'user_id', j.value->>'source', j.value->>'version'
         FROM json_each(?2) j WHERE ${notErased("j.value->>'user_hash'", "j.value->>'version'")}
         ON CONFLICT (partner_id, user_id, source) ${whenListed}`,
      )
      .bind(partnerId, slice),
  );
}

/** Saves the last source of the round, after which it continues. Null starts a new round. */
export async function saveRound(db: D1Database, last: CollectorAddress | null): Promise<void> {
  if (last === null) {
    await db.prepare("DELETE FROM source_rounds").run();
    return;
  }
  await db
    .prepare(
      `INSERT INTO source_rounds (only, after_partner, after_user, after_source) VALUES (1, ?, ?, ?)
       ON CONFLICT (only) DO UPDATE SET after_partner = excluded.after_partner, after_user = excluded.after_user,
         after_source = excluded.after_source`,
    )
    .bind(last.partner_id, last.user_id, last.source)
    .run();
}
