import { z } from "zod";
import { FORGED, TEST } from "../../deliveries/forged.ts";

const endpointRows = z.array(z.object({ partner_id: z.string(), endpoint_id: z.string() }));

/** An endpoint of a partner. */
export interface EndpointName {
  partner_id: string;
  endpoint_id: string;
}

/** Returns the endpoints with a requested recovery, those with the oldest events first. */
export async function endpointsToRecover(db: D1Database, limit: number): Promise<EndpointName[]> {
  const found = await db
    .prepare(
      `SELECT partner_id, endpoint_id FROM endpoints WHERE recover_since IS NOT NULL ORDER BY recover_since LIMIT ?`,
    )
    .bind(limit)
    .all();
  return endpointRows.parse(found.results);
}

/** Returns the time of the events with which an endpoint's recovery continues. Null when none is requested. */
export async function readRecovery(
  db: D1Database,
  { partner_id, endpoint_id }: EndpointName,
): Promise<number | null> {
  return db
    .prepare("SELECT recover_since FROM endpoints WHERE partner_id = ? AND endpoint_id = ?")
    .bind(partner_id, endpoint_id)
    .first<number>("recover_since");
}

const eventRows = z.array(
  z.object({ delivery_id: z.string(), created_at: z.number(), is_match: z.number() }),
);

/** Returns the endpoint's next events from the time on. `is_match`: 1 for those that failed or are held. */
export async function readEvents(
  db: D1Database,
  { partner_id, endpoint_id }: EndpointName,
  sinceMs: number,
  limit: number,
): Promise<{ events: z.infer<typeof eventRows>; rowsRead: number }> {
  const found = await db
    .prepare(
      `SELECT delivery_id, created_at, status IN ('failed', 'held') AND type NOT IN ('${TEST}', '${FORGED}') AS is_match
       FROM deliveries INDEXED BY deliveries_of_endpoint
       WHERE partner_id = ? AND endpoint_id = ? AND kind = 'event' AND created_at >= ?
       ORDER BY created_at, delivery_id LIMIT ?`,
    )
    .bind(partner_id, endpoint_id, sinceMs, limit)
    .all();
  return { events: eventRows.parse(found.results), rowsRead: found.meta.rows_read };
}
