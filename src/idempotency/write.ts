import { z } from "zod";
import { RETENTION_HOURS } from "../contract/limits.ts";
import { DATABASE_NOW } from "../database/sql.ts";
import { hasChanges } from "../database/rows.ts";

/** Identifies a request by its partner and key. The key is stored as a hash, because it may contain personal data. */
export interface RequestName {
  partner_id: string;
  key_hash: string;
}

/** The content of a request: distinguishes it from others with the same key, and names the users it concerns. */
export interface RequestContent {
  request_hash: string;
  /** Hashes of the users that the request names. */
  user_hashes: readonly string[];
}

/** Duration of a claim. No request takes this long. An interrupted request blocks its key until its claim expires. */
const CLAIM_MS = 60_000;
const RETENTION_MS = RETENTION_HOURS * 60 * 60_000;

const recordSchema = z.object({
  request_hash: z.string(),
  answer: z.string().nullable(),
  expires_at: z.number(),
});

export type ClaimedRequest =
  /** The caller carries the request out. `until` identifies the claim and is the time of its expiry. */
  | { state: "claimed"; until: number }
  | { state: "answered"; answer: string }
  | { state: "in_flight" }
  | { state: "another_request" };

/**
 * Claims a key for a request and reads its earlier use, in one transaction. A stored response is invalid if a user of
 * the request was erased after it, because it would report an erased file as queued. Both times come from the
 * database's clock, so their order is reliable.
 */
export async function claimRequest(
  db: D1Database,
  name: RequestName,
  { request_hash, user_hashes }: RequestContent,
  nowMs: number,
): Promise<ClaimedRequest> {
  const until = nowMs + CLAIM_MS;
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
  if (hasChanges(claimed)) return { state: "claimed", until };
  const record = recordSchema.parse(found?.results[0]);
  if (record.request_hash !== request_hash) return { state: "another_request" };
  return record.answer === null ? { state: "in_flight" } : { state: "answered", answer: record.answer };
}

/** Stores the text that rebuilds a response. Stores nothing if the claim has expired. */
export async function storeAnswer(
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
    .bind(name.partner_id, name.key_hash, until, answer, nowMs + RETENTION_MS)
    .run();
}

/** Releases the claim of a request that failed, so that the request can be repeated at once. */
export async function releaseRequest(db: D1Database, name: RequestName, until: number): Promise<void> {
  await db
    .prepare(
      `DELETE FROM idempotent_requests
       WHERE partner_id = ?1 AND key_hash = ?2 AND expires_at = ?3 AND answer IS NULL`,
    )
    .bind(name.partner_id, name.key_hash, until)
    .run();
}

/** Deletes at most `limit` expired records. Returns their number. */
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
