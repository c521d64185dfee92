import { z } from "zod";
import { DATABASE_NOW } from "../database/sql.ts";

/** A request by its partner and its key; the key itself may be a name of somebody and is not kept. */
export interface RequestName {
  partner_id: string;
  key_hash: string;
}

/** What tells a request from another one under the same key, and which erasures concern it. */
export interface RequestContent {
  request_hash: string;
  /** Hashes of the users that the request names. */
  user_hashes: readonly string[];
}

/** Longer than any request takes; one that was cut off blocks its key for no longer than this. */
const IN_FLIGHT_MS = 60_000;
/** The contract's day. */
const KEPT_FOR_MS = 24 * 60 * 60_000;

const recordSchema = z.object({
  request_hash: z.string(),
  answer: z.string().nullable(),
  expires_at: z.number(),
});

export type ClaimedRequest =
  /** Ours to carry out; `until` is the claim's name. */
  | { state: "ours"; until: number }
  | { state: "answered"; answer: string }
  | { state: "in_flight" }
  | { state: "another_request" };

/**
 * Claims a key for a request, in one transaction with the look at what it was used for before. An answer from before the
 * erasure of one of the request's users is void: it would say of an erased file that it is queued. Both times are the
 * database's own, so no other clock decides which came first.
 */
export async function claimRequest(
  db: D1Database,
  name: RequestName,
  { request_hash, user_hashes }: RequestContent,
  nowMs: number,
): Promise<ClaimedRequest> {
  const until = nowMs + IN_FLIGHT_MS;
  const [claimed, found] = await db.batch([
    db
      .prepare(
        `INSERT INTO idempotent_requests (partner_id, key_hash, request_hash, claimed_at, expires_at)
         VALUES (?1, ?2, ?3, ${DATABASE_NOW}, ?4)
         ON CONFLICT (partner_id, key_hash) DO UPDATE SET request_hash = excluded.request_hash, answer = NULL,
           claimed_at = excluded.claimed_at, expires_at = excluded.expires_at
         WHERE idempotent_requests.expires_at <= ?5
           OR (idempotent_requests.request_hash = excluded.request_hash
             AND idempotent_requests.answer IS NOT NULL
             AND EXISTS (SELECT 1 FROM json_each(?6) j CROSS JOIN erased e ON e.partner_id = ?1
               AND e.user_hash = j.value AND e.answers_void_until >= idempotent_requests.claimed_at))`,
      )
      .bind(name.partner_id, name.key_hash, request_hash, until, nowMs, JSON.stringify(user_hashes)),
    db
      .prepare(
        "SELECT request_hash, answer, expires_at FROM idempotent_requests WHERE partner_id = ? AND key_hash = ?",
      )
      .bind(name.partner_id, name.key_hash),
  ]);
  if (claimed !== undefined && claimed.meta.changes > 0) return { state: "ours", until };
  const record = recordSchema.parse(found?.results[0]);
  if (record.request_hash !== request_hash) return { state: "another_request" };
  return record.answer === null ? { state: "in_flight" } : { state: "answered", answer: record.answer };
}

/** Keeps what rebuilds the answer for a day; nothing when the claim has lapsed. */
export async function keepAnswer(
  db: D1Database,
  name: RequestName,
  until: number,
  answer: string,
  nowMs: number,
): Promise<void> {
  await db
    .prepare(
      `UPDATE idempotent_requests SET answer = ?4, expires_at = ?5
       WHERE partner_id = ?1 AND key_hash = ?2 AND expires_at = ?3 AND answer IS NULL`,
    )
    .bind(name.partner_id, name.key_hash, until, answer, nowMs + KEPT_FOR_MS)
    .run();
}

/** Gives a key back whose request came to nothing. */
export async function releaseRequest(db: D1Database, name: RequestName, until: number): Promise<void> {
  await db
    .prepare(
      `DELETE FROM idempotent_requests
       WHERE partner_id = ?1 AND key_hash = ?2 AND expires_at = ?3 AND answer IS NULL`,
    )
    .bind(name.partner_id, name.key_hash, until)
    .run();
}

/** Deletes at most `limit` records that have expired. Answers how many. */
export async function deleteExpiredRequests(db: D1Database, nowMs: number, limit: number): Promise<number> {
  const deleted = await db
    .prepare(
      `DELETE FROM idempotent_requests WHERE (partner_id, key_hash) IN (
         SELECT partner_id, key_hash FROM idempotent_requests WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`,
    )
    .bind(nowMs, limit)
    .run();
  return deleted.meta.changes;
}
