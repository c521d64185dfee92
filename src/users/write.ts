import { jsonSlices } from "../sql.ts";

/** Notes that these users were pinged; one row each, made on the first ping. */
export function touchUsers(
  db: D1Database,
  partnerId: string,
  userIds: readonly string[],
  nowMs: number,
): D1PreparedStatement[] {
  return jsonSlices(userIds).map((slice) =>
    db
      .prepare(
        `INSERT INTO users (partner_id, user_id, last_ping_at, created_at)
         SELECT ?1, value, ?3, ?3 FROM json_each(?2) WHERE true
         ON CONFLICT (partner_id, user_id) DO UPDATE SET last_ping_at = excluded.last_ping_at
           WHERE excluded.last_ping_at > users.last_ping_at`,
      )
      .bind(partnerId, slice, nowMs),
  );
}
