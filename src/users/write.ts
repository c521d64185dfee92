import { notErased } from "../erasure/guard.ts";
import { jsonSlices } from "../database/sql.ts";

/** A user, with data of its newest ping. */
export interface UserPing {
  user_id: string;
  user_hash: string;
  /** The newest version that the ping created. An erasure up to this version or a later one covers the ping. */
  version: number;
  /** Unix milliseconds. */
  pinged_at: number;
}

/** Returns statements that record the pings of these users, one row for each user. They skip pings that an erasure covers. */
export function touchUsers(
  db: D1Database,
  partnerId: string,
  users: readonly UserPing[],
): D1PreparedStatement[] {
  return jsonSlices(users).map((slice) =>
    db
      .prepare(
        `INSERT INTO users (partner_id, user_id, last_ping_at, created_at, newest_version)
         SELECT ?1, j.value->>'user_id', j.value->>'pinged_at', j.value->>'pinged_at', j.value->>'version'
         FROM json_each(?2) j WHERE ${notErased("j.value->>'user_hash'", "j.value->>'version'")}
         ON CONFLICT (partner_id, user_id) DO UPDATE SET last_ping_at = max(excluded.last_ping_at, last_ping_at),
           newest_version = max(excluded.newest_version, newest_version)
         WHERE excluded.last_ping_at > last_ping_at OR excluded.newest_version > newest_version`,
      )
      .bind(partnerId, slice),
  );
}
