import { z } from "zod";

/** A request by its partner and its key; the key itself may be a name of somebody and is not kept. */
export interface RequestName {
  partner_id: string;
  key_hash: string;
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

/** Claims a key for a request, in one transaction with the look at what it was used for before. */
export async function claimRequest(
  db: D1Database,
  name: RequestName,
  requestHash: string,
  nowMs: number,
): Promise<ClaimedRequest> {
  const until = nowMs + IN_FLIGHT_MS;
  const [claimed, found] = await db.batch([
    db
      .prepare(
        `INSERT INTO idempotent_requests (partner_id, key_hash, request_hash, expires_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (partner_id, key_hash) DO UPDATE SET request_hash = excluded.request_hash, answer = NULL,
           expires_at = excluded.expires_at
         WHERE idempotent_requests.expires_at <= ?5`,
      )
      .bind(name.partner_id, name.key_hash, requestHash, until, nowMs),
    db
      .prepare(
        "SELECT request_hash, answer, expires_at FROM idempotent_requests WHERE partner_id = ? AND key_hash = ?",
      )
      .bind(name.partner_id, name.key_hash),
  ]);
  if (claimed !== undefined && claimed.meta.changes > 0) return { state: "ours", until };
  const record = recordSchema.parse(found?.results[0]);
  if (record.request_hash !== requestHash) return { state: "another_request" };
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
