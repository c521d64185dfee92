import { databaseFor, type Owner } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { instantOf } from "../database/rows.ts";
import { DATABASE_NOW, Where } from "../database/sql.ts";
import { NO_ENDPOINT } from "../endpoints/endpoint.ts";
import { readPage, walked, type Page, type WalkBounds, type Walked } from "../database/walk.ts";
import {
  visibleEventStatus,
  type DeliveryStatus,
  type Event,
  type EventStatus,
  type EventWithAttempts,
} from "./event.ts";
import { FORGED, TEST } from "./forged.ts";
import { MAX_ATTEMPTS } from "./schedule.pure.ts";
import { withNames } from "../outcomes/body.ts";
import { parseAttempts, parseEventBody } from "./storedEvent.pure.ts";

export interface EventRow {
  delivery_id: string;
  type: string;
  endpoint_id: string;
  user_id: string | null;
  import_id: string | null;
  body: string;
  status: DeliveryStatus;
  attempts: string;
  attempt_count: number;
  attempts_before: number;
  next_attempt_at: number | null;
  created_at: number;
  updated_at: number;
}

/** SQL for the columns of an event `d`. */
export const EVENT_COLUMNS = `d.delivery_id, d.type, d.endpoint_id, d.user_id, d.import_id, d.body, d.status, d.attempts, d.attempt_count, d.attempts_before,
    d.next_attempt_at, d.created_at, d.updated_at`;

/** Returns how many attempts follow at most. An event that is due is attempted at least once. */
function attemptsLeft({ status, attempt_count, attempts_before }: EventRow): number {
  if (status === "delivered" || status === "failed") return 0;
  return Math.max(1, MAX_ATTEMPTS - (attempt_count - attempts_before));
}

function eventOf(row: EventRow): Event {
  return {
    id: row.delivery_id,
    ...parseEventBody(row.body),
    endpoint_id: row.endpoint_id === NO_ENDPOINT ? null : row.endpoint_id,
    import_id: row.import_id,
    user_id: row.user_id,
    status: visibleEventStatus(row.status),
    attempt_count: row.attempt_count,
    attempts_left: attemptsLeft(row),
    next_attempt_at: row.next_attempt_at === null ? null : instantOf(row.next_attempt_at),
    created_at: instantOf(row.created_at),
    updated_at: instantOf(row.updated_at),
  };
}

export async function readEvent(env: Env, owner: Owner, eventId: string): Promise<EventWithAttempts | null> {
  const db = databaseFor(env, owner);
  const row = await db
    .prepare(
      `SELECT ${EVENT_COLUMNS} FROM deliveries d WHERE d.partner_id = ? AND d.delivery_id = ? AND d.kind = 'event'`,
    )
    .bind(owner.partner_id, eventId)
    .first<EventRow>();
  if (row === null) return null;
  const [event = row] = await withNames(db, owner.partner_id, [row]);
  return eventWithAttemptsOf(event);
}

/** Returns an event of a row of `EVENT_COLUMNS`. */
export function eventWithAttemptsOf(row: EventRow): EventWithAttempts {
  return { ...eventOf(row), attempts: parseAttempts(row.attempts) };
}

export interface EventFilters {
  status?: EventStatus | undefined;
  type?: string | undefined;
  user_id?: string | undefined;
  import_id?: string | undefined;
  endpoint_id?: string | undefined;
  /** The partner's own id from its task. */
  event_id?: string | undefined;
  /** Unix milliseconds. Orders events by update, ascending. */
  updated_since?: number | undefined;
}

/** The time (created_at, or updated_at with updated_since) in Unix milliseconds and the id of the last row. */
export type EventPosition = [timeMs: number, eventId: string];

/** Maximum number of events that a page examines in addition to its own size. */
const EVENTS_TO_WALK = 2_000;

interface WalkedEvent extends EventRow, Walked {
  walked_time: number;
  walked_id: string;
}

/**
 * Returns at most `limit` events after the position: newest first, or with `updated_since` ascending by update. A page
 * examines a bounded number of events, so it may be short or empty when few match.
 */
export async function listEvents(
  env: Env,
  owner: Owner,
  filters: EventFilters,
  { limit, after }: { limit: number; after: EventPosition | null },
): Promise<Page<Event, EventPosition>> {
  const database = databaseFor(env, owner);
  const page = await readPage<WalkedEvent, EventPosition>(
    { limit, after, rowsToWalk: EVENTS_TO_WALK },
    async (position, bounds) => walkEvents(database, owner.partner_id, filters, position, bounds),
    (row) => [row.walked_time, row.walked_id],
  );
  const rows = await withNames(database, owner.partner_id, page.rows);
  return { ...page, rows: rows.map(eventOf) };
}

async function walkEvents(
  db: D1Database,
  partnerId: string,
  { status, type, user_id, import_id, endpoint_id, event_id, updated_since }: EventFilters,
  after: EventPosition | null,
  { rows, matches }: WalkBounds,
): Promise<D1Result<WalkedEvent>> {
  const byUpdate = updated_since !== undefined;
  const time = byUpdate ? "e.updated_at" : "e.created_at";
  const walk = new Where().and("e.partner_id = ?", partnerId).and("e.kind = 'event'");
  if (after !== null) walk.and(`(${time}, e.delivery_id) ${byUpdate ? ">" : "<"} (?, ?)`, ...after);
  else if (updated_since !== undefined) walk.and(`${time} >= ?`, updated_since);
  // Exclude the current millisecond: more rows with that time may still be written.
  if (byUpdate) walk.and(`${time} < ${DATABASE_NOW}`);
  const select = `SELECT ${time} AS time, e.delivery_id
    FROM deliveries e INDEXED BY deliveries_by_${byUpdate ? "update" : "creation"} WHERE ${walk.sql}
    ORDER BY ${byUpdate ? `${time}, e.delivery_id` : `${time} DESC, e.delivery_id DESC`}`;
  const on = new Where().and("d.partner_id = ? AND d.delivery_id = w.delivery_id", partnerId);
  if (status === "pending") on.and("d.status IN ('pending', 'waiting')");
  else on.andEqual("d.status", status);
  // Both kinds of test events have this type in their bodies.
  if (type === TEST) on.and("d.type IN (?, ?)", TEST, FORGED);
  else on.andEqual("d.type", type);
  on.andEqual("d.user_id", user_id).andEqual("d.import_id", import_id);
  on.andEqual("d.endpoint_id", endpoint_id);
  on.andEqual("d.body ->> '$.data.event_id'", event_id);
  return db
    .prepare(
      `SELECT w.time AS walked_time, w.delivery_id AS walked_id, d.delivery_id IS NOT NULL AS is_match,
         w.n = ?1 AS is_end, ${EVENT_COLUMNS}
       FROM ${walked(select)} LEFT JOIN deliveries d ON ${on.sql}
       WHERE d.delivery_id IS NOT NULL OR w.n = ?1 ORDER BY w.n LIMIT ?`,
    )
    .bind(rows, ...walk.values, rows, ...on.values, matches)
    .all<WalkedEvent>();
}
