import type { EndpointName } from "./read.ts";

/** Returns the statement that advances a recovery, or ends it with null. Changes nothing if the recovery was requested again. */
export function moveRecovery(
  db: D1Database,
  { partner_id, endpoint_id }: EndpointName,
  fromMs: number,
  toMs: number | null,
): D1PreparedStatement {
  return db
    .prepare(
      "UPDATE endpoints SET recover_since = ?4 WHERE partner_id = ?1 AND endpoint_id = ?2 AND recover_since = ?3",
    )
    .bind(partner_id, endpoint_id, fromMs, toMs);
}
