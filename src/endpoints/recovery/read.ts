import { z } from "zod";
import { FORGED, TEST } from "../../deliveries/forged.ts";
import { NO_ENDPOINT } from "../endpoint.ts";
import { wantsType } from "../subscribers.ts";

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

/**
 * Returns the next events of the endpoint, and those without a receiver, from the time on. `is_match`: 1 for those that
 * failed or are held, and have one of the endpoint's types if they had no receiver.
 */
export async function readEvents(
  db: D1Database,
  { partner_id, endpoint_id }: EndpointName,
  sinceMs: number,
  limit: number,
): Promise<{ events: z.infer<typeof eventRows>; rowsRead: number }> {
  const eventsOf = (receiver: string, isMatch: string) =>
    `SELECT * FROM (
       SELECT d.delivery_id, d.created_at, ${isMatch} AS is_match FROM deliveries d INDEXED BY deliveries_of_endpoint
       WHERE d.partner_id = ?1 AND d.endpoint_id = ${receiver} AND d.kind = 'event' AND d.created_at >= ?3
       ORDER BY d.created_at, d.delivery_id LIMIT ?4)`;
  const isOwn = `d.status IN ('failed', 'held') AND d.type NOT IN ('${TEST}', '${FORGED}')`;
  const isWanted = `d.status = 'failed' AND EXISTS (
    SELECT 1 FROM endpoints e WHERE e.partner_id = ?1 AND e.endpoint_id = ?2 AND ${wantsType("d.type")})`;
  const found = await db
    .prepare(
      `${eventsOf("?2", isOwn)} UNION ALL ${eventsOf(`'${NO_ENDPOINT}'`, isWanted)}
       ORDER BY created_at, delivery_id LIMIT ?4`,
    )
    .bind(partner_id, endpoint_id, sinceMs, limit)
    .all();
  return { events: eventRows.parse(found.results), rowsRead: found.meta.rows_read };
}
