import { z } from "@hono/zod-openapi";
import { databaseFor } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { instantOf, parseColumn } from "../database/rows.ts";
import { DATABASE_NOW, Where } from "../database/sql.ts";
import {
  eventBodySchema,
  visibleEventStatus,
  type DeliveryStatus,
  type Event,
  type EventStatus,
  type EventWithAttempts,
} from "./event.ts";

interface EventRow {
  delivery_id: string;
  user_id: string | null;
  import_id: string | null;
  body: string;
  status: DeliveryStatus;
  attempts: string;
  attempt_count: number;
  next_attempt_at: number | null;
  created_at: number;
  updated_at: number;
}

const EVENTS = `SELECT d.delivery_id, d.user_id, d.import_id, d.body, d.status, d.attempts, d.attempt_count,
    d.next_attempt_at, d.created_at, d.updated_at
  FROM deliveries d`;

function eventsOf(partnerId: string): Where {
  return new Where().and("d.partner_id = ?", partnerId).and("d.kind = 'event'");
}

const attemptsColumn = z.array(
  z.object({
    at: z.number(),
    status: z.number().int().nullable(),
    milliseconds: z.number(),
    answer: z.string().nullable(),
  }),
);

function eventOf(row: EventRow): Event {
  return {
    id: row.delivery_id,
    ...parseColumn(eventBodySchema, row.body),
    import_id: row.import_id,
    user_id: row.user_id,
    status: visibleEventStatus(row.status),
    attempt_count: row.attempt_count,
    next_attempt_at: row.next_attempt_at === null ? null : instantOf(row.next_attempt_at),
    created_at: instantOf(row.created_at),
    updated_at: instantOf(row.updated_at),
  };
}

export async function readEvent(
  env: Env,
  partnerId: string,
  eventId: string,
): Promise<EventWithAttempts | null> {
  const where = eventsOf(partnerId).and("d.delivery_id = ?", eventId);
  const row = await databaseFor(env, partnerId)
    .prepare(`${EVENTS} WHERE ${where.sql}`)
    .bind(...where.values)
    .first<EventRow>();
  if (row === null) return null;
  const attempts = parseColumn(attemptsColumn, row.attempts);
  return {
    ...eventOf(row),
    attempts: attempts.map((attempt) => ({ ...attempt, at: instantOf(attempt.at) })),
  };
}

export interface EventFilters {
  status?: EventStatus | undefined;
  /** Unix milliseconds. Orders events by update, ascending. */
  updated_since?: number | undefined;
}

/** The time (created_at, or updated_at with updated_since) in Unix milliseconds and the id of the last row. */
export type EventPosition = [timeMs: number, eventId: string];

/** Returns at most `limit` events after the position: newest first, or with `updated_since` ascending by update. */
export async function listEvents(
  env: Env,
  partnerId: string,
  filters: EventFilters,
  { limit, after }: { limit: number; after: EventPosition | null },
): Promise<Event[]> {
  const byUpdate = filters.updated_since !== undefined;
  const time = byUpdate ? "d.updated_at" : "d.created_at";
  const where = eventsOf(partnerId);
  if (filters.status === "pending") where.and("d.status IN ('pending', 'waiting')");
  else where.andEqual("d.status", filters.status);
  if (after !== null) where.and(`(${time}, d.delivery_id) ${byUpdate ? ">" : "<"} (?, ?)`, ...after);
  else if (filters.updated_since !== undefined) where.and(`${time} >= ?`, filters.updated_since);
  // Leave rows of the current millisecond to the next poll: more of them may still be written.
  if (byUpdate) where.and(`${time} < ${DATABASE_NOW}`);
  const order = byUpdate ? `${time}, d.delivery_id` : `${time} DESC, d.delivery_id DESC`;
  const found = await databaseFor(env, partnerId)
    .prepare(`${EVENTS} WHERE ${where.sql} ORDER BY ${order} LIMIT ?`)
    .bind(...where.values, limit)
    .all<EventRow>();
  return found.results.map(eventOf);
}
