import {
  DEFAULT_ENDPOINT,
  IMPORT_COMPLETED,
  NO_ENDPOINT,
  OUTCOME_TYPES,
  type EventType,
} from "./endpoint.ts";

/** SQL for the ids of the endpoints of the partner `?1`. Without endpoint settings, its `event_url` is `DEFAULT_ENDPOINT`. */
export const ENDPOINT_IDS = `SELECT endpoint_id FROM endpoints WHERE partner_id = ?1 AND deleted_at IS NULL
  UNION ALL SELECT '${DEFAULT_ENDPOINT}' WHERE NOT EXISTS (SELECT 1 FROM endpoints WHERE partner_id = ?1)`;

/** Returns the SQL condition for an endpoint `e` with this event type. `type` is an SQL expression. */
export function wantsType(type: string): string {
  return `EXISTS (SELECT 1 FROM json_each(e.event_types) t WHERE t.value = ${type})`;
}

/** Returns the SQL condition for event types, a JSON array, that include outcomes. */
export function includesOutcomes(eventTypes: string): string {
  const types = OUTCOME_TYPES.map((type) => `'${type}'`).join();
  return `EXISTS (SELECT 1 FROM json_each(${eventTypes}) t WHERE t.value IN (${types}))`;
}

/**
 * Returns SQL for the endpoints of the partner `?1` that receive events of this type, as rows (endpoint_id, n) with n
 * from 1. Events of an unverified endpoint are stored too: they are held until its receiver has returned a challenge.
 * A partner without endpoint settings receives the event of a completed import at its `event_url`. If no endpoint
 * wants that event, its receiver is `NO_ENDPOINT`, so that the partner can still read it.
 */
export function subscribers(type: EventType): string {
  const wanted = `FROM endpoints e WHERE e.partner_id = ?1 AND e.deleted_at IS NULL AND ${wantsType(`'${type}'`)}`;
  const chosen = `SELECT e.endpoint_id, row_number() OVER (ORDER BY e.created_at, e.endpoint_id) AS n ${wanted}`;
  if (type !== IMPORT_COMPLETED) return chosen;
  return `${chosen}
    UNION ALL
    SELECT CASE WHEN EXISTS (SELECT 1 FROM endpoints WHERE partner_id = ?1) THEN '${NO_ENDPOINT}' ELSE '${DEFAULT_ENDPOINT}' END, 1
    WHERE NOT EXISTS (SELECT 1 ${wanted})`;
}
