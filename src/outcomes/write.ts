import { DATABASE_NOW, jsonSlices } from "../database/sql.ts";
import { OUTCOMES_REPORTED, type StoredOutcomesEvent } from "./event.ts";
import type { BatchPosition, OutcomeEndpoint } from "./read.ts";

/** An event with the id of its delivery. */
export interface NewOutcomesEvent {
  delivery_id: string;
  event: StoredOutcomesEvent;
}

/**
 * Stores events for an endpoint and moves its position on, in one transaction. Returns false, and stores nothing, when
 * the endpoint is no longer where it was read: another run was first, or its settings changed.
 */
export async function storeOutcomes(
  db: D1Database,
  partnerId: string,
  { endpoint_id, position, sequence }: OutcomeEndpoint,
  events: readonly NewOutcomesEvent[],
  through: BatchPosition,
): Promise<boolean> {
  const isThere = `partner_id = ?1 AND endpoint_id = ?2 AND outcomes_time = ?3 AND outcomes_place = ?4`;
  const there = [partnerId, endpoint_id, position.time, position.place] as const;
  const rows = events.map(({ delivery_id, event }) => ({ delivery_id, body: JSON.stringify(event) }));
  const newest = events.at(-1)?.event.data.outcomes.at(-1)?.sequence ?? sequence;
  const results = await db.batch([
    ...jsonSlices(rows).map((slice) =>
      db
        .prepare(
          `INSERT INTO deliveries (partner_id, delivery_id, endpoint_id, kind, type, body, status, next_attempt_at,
             created_at, updated_at)
           SELECT ?1, j.value->>'delivery_id', ?2, 'event', '${OUTCOMES_REPORTED}', j.value->>'body', 'pending',
             ${DATABASE_NOW}, ${DATABASE_NOW}, ${DATABASE_NOW}
           FROM json_each(?5) j WHERE EXISTS (SELECT 1 FROM endpoints WHERE ${isThere})`,
        )
        .bind(...there, slice),
    ),
    db
      .prepare(
        `UPDATE endpoints SET outcomes_time = ?5, outcomes_place = ?6, outcomes_sequence = ?7 WHERE ${isThere}`,
      )
      .bind(...there, through.time, through.place, newest),
  ]);
  return (results.at(-1)?.meta.changes ?? 0) > 0;
}
