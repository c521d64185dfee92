import { z } from "zod";
import { EVENTS_HELD_FOR_MS } from "../contract/limits.ts";
import { DATABASE_NOW } from "../database/sql.ts";
import { NO_ENDPOINT, USER_ERASED, type EventType } from "../endpoints/endpoint.ts";
import { subscribers } from "../endpoints/subscribers.ts";
import { OUTCOMES_REPORTED } from "../outcomes/event.ts";
import type { DeliveryStatus } from "./event.ts";
import { FORGED } from "./forged.ts";

export interface NewDelivery {
  partner_id: string;
  delivery_id: string;
  kind: "event" | "training_plan";
  type: string;
  user_id: string | null;
  import_id: string | null;
  body: string;
  status: DeliveryStatus;
  then_deliver: string | null;
  next_attempt_at: number | null;
  endpoint_id: string;
}

/** SQL: `?6`, if not null, is a completed import. So an erased user's import is not announced. */
const IMPORT_IS_COMPLETED = `(?6 IS NULL OR EXISTS (
  SELECT 1 FROM imports WHERE partner_id = ?1 AND import_id = ?6 AND completed_at IS NOT NULL))`;

/**
 * Stores a delivery; repeating it changes nothing. A delivery of an import is stored only if the import's row is
 * completed, so that an erased user's import is not announced. Write that row before it, in the same batch.
 */
export function insertDelivery(db: D1Database, row: NewDelivery): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO deliveries (partner_id, delivery_id, kind, type, user_id, import_id, body, status, then_deliver,
         next_attempt_at, created_at, updated_at, endpoint_id)
       SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ${DATABASE_NOW}, ${DATABASE_NOW}, ?11
       WHERE ${IMPORT_IS_COMPLETED}
       ON CONFLICT (partner_id, delivery_id) DO NOTHING`,
    )
    .bind(
      row.partner_id,
      row.delivery_id,
      row.kind,
      row.type,
      row.user_id,
      row.import_id,
      row.body,
      row.status,
      row.then_deliver,
      row.next_attempt_at,
      row.endpoint_id,
    );
}

/** An event for all endpoints that want its type. */
export interface NewEvent extends Omit<NewDelivery, "kind" | "type" | "then_deliver" | "endpoint_id"> {
  type: EventType;
}

/**
 * Stores an event once for each endpoint that wants its type; repeating it changes nothing. The first delivery has the
 * event's id, further ones add the id of their endpoint. Read their ids with `readPendingOfEvent`.
 */
export function insertEvent(db: D1Database, event: NewEvent): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO deliveries (partner_id, delivery_id, endpoint_id, kind, type, user_id, body, import_id, status,
         next_attempt_at, created_at, updated_at)
       SELECT ?1, CASE WHEN s.n = 1 THEN ?2 ELSE ?2 || '_' || s.endpoint_id END, s.endpoint_id, 'event', ?3, ?4, ?5, ?6, ?7, ?8,
         ${DATABASE_NOW}, ${DATABASE_NOW}
       FROM (${subscribers(event.type)}) s WHERE ${IMPORT_IS_COMPLETED}
       ON CONFLICT (partner_id, delivery_id) DO NOTHING`,
    )
    .bind(
      event.partner_id,
      event.delivery_id,
      event.type,
      event.user_id,
      event.body,
      event.import_id,
      event.status,
      event.next_attempt_at,
    );
}

/** SQL condition for the deliveries of an event: that of its first endpoint, and those of further ones. */
const OF_EVENT = `partner_id = ?1 AND delivery_id >= ?2 AND delivery_id < ?2 || '_~'
  AND (delivery_id = ?2 OR substr(delivery_id, length(?2) + 1, 1) = '_')`;

/** Returns the statement that reads the ids of an event's pending deliveries. */
export function readPendingOfEvent(db: D1Database, partnerId: string, eventId: string): D1PreparedStatement {
  return db
    .prepare(`SELECT delivery_id FROM deliveries WHERE ${OF_EVENT} AND status = 'pending'`)
    .bind(partnerId, eventId);
}

const claimedSchema = z.object({
  kind: z.enum(["event", "training_plan"]),
  type: z.string(),
  body: z.string(),
  attempt_count: z.number().int(),
  /** Attempts made before the schedule was last restarted. */
  attempts_before: z.number().int(),
  then_deliver: z.string().nullable(),
  /** Response text of the latest attempt. */
  last_answer: z.string().nullable(),
  /** Identifies the claim. An attempt is recorded only while this claim is the current one. */
  claimed_until: z.number(),
});
export type ClaimedDelivery = z.infer<typeof claimedSchema>;

/** Clocks of queue, isolate and database differ: a message may arrive this early. */
const EARLY_MS = 1_000;

/** Claims a due delivery for one consumer until `untilMs`. Returns null when it is settled, not due or claimed. */
export async function claimDelivery(
  db: D1Database,
  delivery: { partner_id: string; delivery_id: string },
  nowMs: number,
  untilMs: number,
): Promise<ClaimedDelivery | null> {
  const row = await db
    .prepare(
      `UPDATE deliveries SET claimed_until = ?3
       WHERE partner_id = ?1 AND delivery_id = ?2 AND status = 'pending' AND next_attempt_at <= ?4
         AND (claimed_until IS NULL OR claimed_until <= ?5)
       RETURNING kind, type, body, attempt_count, attempts_before, then_deliver,
         attempts ->> '$[#-1].answer' AS last_answer, claimed_until`,
    )
    .bind(delivery.partner_id, delivery.delivery_id, untilMs, nowMs + EARLY_MS, nowMs)
    .first();
  return row === null ? null : claimedSchema.parse(row);
}

/** Maximum time that a delivery is postponed after its last change. Then an attempt is counted. */
const MAX_POSTPONED_MS = 24 * 60 * 60_000;

/**
 * Postpones a due, unclaimed delivery until `untilMs`. Returns false when it is not due, claimed, settled, or was
 * postponed for a day since its last attempt.
 */
export async function postponeDelivery(
  db: D1Database,
  delivery: { partner_id: string; delivery_id: string },
  nowMs: number,
  untilMs: number,
): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `UPDATE deliveries SET next_attempt_at = ?3
       WHERE partner_id = ?1 AND delivery_id = ?2 AND status = 'pending' AND next_attempt_at <= ?4
         AND (claimed_until IS NULL OR claimed_until <= ?5) AND updated_at > ?5 - ${MAX_POSTPONED_MS}`,
    )
    .bind(delivery.partner_id, delivery.delivery_id, untilMs, nowMs + EARLY_MS, nowMs)
    .run();
  return meta.changes > 0;
}

export interface Attempt {
  /** Unix milliseconds. */
  at: number;
  /** Null without a response. */
  status: number | null;
  milliseconds: number;
  /** First bytes of the response, or the reason why none arrived. */
  answer: string | null;
}

/** State of a claimed delivery after an attempt, or after the decision not to make one. */
export interface AttemptResult {
  status: "pending" | "held" | "delivered" | "failed" | "recorded";
  next_attempt_at: number | null;
  attempt: Attempt | null;
  /** Whether a request was made. Only then does the attempt count. */
  counted: boolean;
  /** Whether the event has no receiver. */
  unreceived?: boolean;
}

/**
 * Returns the statements that record an attempt, end its claim and, unless it was postponed, release the delivery that waits
 * for this one. They change nothing once the claim has expired. Run them in one batch.
 */
export function recordAttempt(
  db: D1Database,
  delivery: { partner_id: string; delivery_id: string },
  claimed: ClaimedDelivery,
  result: AttemptResult,
  nowMs: number,
): D1PreparedStatement[] {
  const settled = db
    .prepare(
      `UPDATE deliveries SET status = ?4, next_attempt_at = ?5, claimed_until = NULL,
         attempts = CASE WHEN ?6 IS NULL THEN attempts ELSE json_insert(attempts, '$[#]', json(?6)) END,
         attempt_count = attempt_count + ?7, updated_at = ${DATABASE_NOW},
         endpoint_id = CASE WHEN ?8 THEN '${NO_ENDPOINT}' ELSE endpoint_id END
       WHERE partner_id = ?1 AND delivery_id = ?2 AND claimed_until = ?3`,
    )
    .bind(
      delivery.partner_id,
      delivery.delivery_id,
      claimed.claimed_until,
      result.status,
      result.next_attempt_at,
      result.attempt === null ? null : JSON.stringify(result.attempt),
      result.counted ? 1 : 0,
      result.unreceived === true ? 1 : 0,
    );
  const isPostponed = result.status === "pending" && !result.counted;
  if (claimed.then_deliver === null || isPostponed) return [settled];
  const released = db
    .prepare(
      `UPDATE deliveries SET status = 'pending', next_attempt_at = ?3, updated_at = ${DATABASE_NOW}
       WHERE ${OF_EVENT} AND status = 'waiting' RETURNING delivery_id`,
    )
    .bind(delivery.partner_id, claimed.then_deliver, nowMs);
  return [settled, released];
}

const dueSchema = z.array(z.object({ partner_id: z.string(), delivery_id: z.string() }));

/**
 * Returns at most `limit` unclaimed deliveries due before `beforeMs`, longest due first. Makes them due at `nowMs`, so
 * that the next sweep gives the queue the same time again.
 */
export async function postponeOverdueDeliveries(
  db: D1Database,
  beforeMs: number,
  nowMs: number,
  limit: number,
): Promise<{ partner_id: string; delivery_id: string }[]> {
  const found = await db
    .prepare(
      `UPDATE deliveries SET next_attempt_at = ?2
       WHERE (partner_id, delivery_id) IN (
         SELECT partner_id, delivery_id FROM deliveries
         WHERE next_attempt_at <= ?1 AND status = 'pending' AND (claimed_until IS NULL OR claimed_until <= ?2)
         ORDER BY next_attempt_at LIMIT ?3)
       RETURNING partner_id, delivery_id`,
    )
    .bind(beforeMs, nowMs, limit)
    .all();
  return dueSchema.parse(found.results);
}

/** Number of past attempts that a resent event keeps. One schedule makes fewer; a row holds at most 2 MB. */
const ATTEMPTS_KEPT = 50;

/** SQL that makes deliveries due at `?3` with a new schedule. */
const RESTART = `UPDATE deliveries SET status = 'pending', attempts_before = attempt_count, next_attempt_at = ?3, claimed_until = NULL,
  attempts = (SELECT json_group_array(json(value)) FROM (
    SELECT a.value FROM json_each(deliveries.attempts) a
    WHERE a.key >= json_array_length(deliveries.attempts) - ${ATTEMPTS_KEPT} ORDER BY a.key)),
  updated_at = ${DATABASE_NOW}`;

/**
 * Restarts the schedule of an event, due now. Its attempt count continues. An event without an endpoint gets these
 * receivers; each further one gets a delivery of its own. Returns the ids of the deliveries that are due now. Returns none
 * when the event does not exist, is being delivered, is due, or waits for its plan request.
 */
export async function restartDelivery(
  db: D1Database,
  { partner_id, delivery_id }: { partner_id: string; delivery_id: string },
  receivers: readonly string[],
  nowMs: number,
): Promise<string[]> {
  const further = db
    .prepare(
      `INSERT INTO deliveries (partner_id, delivery_id, endpoint_id, kind, type, user_id, import_id, body, status,
         next_attempt_at, created_at, updated_at)
       SELECT d.partner_id, d.delivery_id || '_' || r.value, r.value, d.kind, d.type, d.user_id, d.import_id, d.body,
         'pending', ?4, d.created_at, ${DATABASE_NOW}
       FROM deliveries d, json_each(?3) r
       WHERE d.partner_id = ?1 AND d.delivery_id = ?2 AND d.kind = 'event' AND d.status = 'failed'
         AND d.endpoint_id = '${NO_ENDPOINT}' AND r.key > 0
       ON CONFLICT (partner_id, delivery_id) DO NOTHING RETURNING delivery_id`,
    )
    .bind(partner_id, delivery_id, JSON.stringify(receivers), nowMs);
  const restarted = db
    .prepare(
      `${RESTART}, endpoint_id = CASE WHEN endpoint_id = '${NO_ENDPOINT}' THEN coalesce(?4, endpoint_id) ELSE endpoint_id END
       WHERE partner_id = ?1 AND delivery_id = ?2 AND kind = 'event'
         AND (status IN ('delivered', 'failed', 'held')
           OR (status = 'pending' AND next_attempt_at > ?3 AND (claimed_until IS NULL OR claimed_until <= ?3)))
       RETURNING delivery_id`,
    )
    .bind(partner_id, delivery_id, nowMs, receivers[0] ?? null);
  const results = await db.batch<{ delivery_id: string }>([further, restarted]);
  return results.flatMap((result) => result.results.map((row) => row.delivery_id));
}

/**
 * Returns the statement that restarts the schedule of those of the events that failed or were held, due now. The endpoint
 * becomes the receiver of events that had none.
 */
export function restartDeliveries(
  db: D1Database,
  { partner_id, endpoint_id }: { partner_id: string; endpoint_id: string },
  deliveryIds: readonly string[],
  nowMs: number,
): D1PreparedStatement {
  return db
    .prepare(
      `${RESTART}, endpoint_id = ?4
       WHERE partner_id = ?1 AND delivery_id IN (SELECT value FROM json_each(?2))
         AND kind = 'event' AND status IN ('failed', 'held') AND endpoint_id IN (?4, '${NO_ENDPOINT}')`,
    )
    .bind(partner_id, JSON.stringify(deliveryIds), nowMs, endpoint_id);
}

/**
 * Returns how many test events the partner has sent since the instant. One that was sent again counts again, also for
 * attempts before the instant; the schedule's own retries do not count.
 */
export async function countTestEvents(db: D1Database, partnerId: string, sinceMs: number): Promise<number> {
  const sent = await db
    .prepare(
      `SELECT total((created_at >= ?2) + attempts_before) AS sent FROM deliveries INDEXED BY test_events_of_partner
       WHERE partner_id = ?1 AND type IN ('test.ping', '${FORGED}') AND updated_at >= ?2`,
    )
    .bind(partnerId, sinceMs)
    .first<number>("sent");
  return sent ?? 0;
}

/** Deletes at most `limit` events of the types that expire, created before the instant. Returns how many. */
export async function deleteExpiredEvents(db: D1Database, beforeMs: number, limit: number): Promise<number> {
  const deleted = await db
    .prepare(
      `DELETE FROM deliveries WHERE (partner_id, delivery_id) IN (
         SELECT partner_id, delivery_id FROM deliveries
         WHERE type IN ('test.ping', '${FORGED}', '${OUTCOMES_REPORTED}', '${USER_ERASED}') AND created_at < ? ORDER BY created_at LIMIT ?)`,
    )
    .bind(beforeMs, limit)
    .run();
  return deleted.meta.changes;
}

/** Fails at most `limit` events that have waited too long for the end of a hold or for a challenge. Returns how many. */
export async function failHeldTooLong(db: D1Database, nowMs: number, limit: number): Promise<number> {
  const failed = await db
    .prepare(
      `UPDATE deliveries SET status = 'failed' WHERE (partner_id, delivery_id) IN (
         SELECT partner_id, delivery_id FROM deliveries WHERE status = 'held' AND created_at < ? LIMIT ?)`,
    )
    .bind(nowMs - EVENTS_HELD_FOR_MS, limit)
    .run();
  return failed.meta.changes;
}
