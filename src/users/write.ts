import { z } from "zod";
import { rangeEnd, ROUTE_LENGTH } from "../identifiers.ts";
import { jsonSlices } from "../sql.ts";

export interface PingedUser {
  user_id: string;
  user_hash: string;
}

/** A user as one of its pings names it. */
export interface UserPing extends PingedUser {
  /** The newest version that the ping gave a file: what decides whether an erasure has taken it. */
  version: number;
  /** Unix milliseconds. */
  pinged_at: number;
}

/** Notes that these users were pinged; one row each, made on the first ping after an erasure at the most. */
export function touchUsers(
  db: D1Database,
  partnerId: string,
  users: readonly UserPing[],
): D1PreparedStatement[] {
  return jsonSlices(users).map((slice) =>
    db
      .prepare(
        `INSERT INTO users (partner_id, user_id, last_ping_at, created_at)
         SELECT ?1, j.value->>'user_id', j.value->>'pinged_at', j.value->>'pinged_at' FROM json_each(?2) j
         WHERE NOT EXISTS (SELECT 1 FROM erased e WHERE e.partner_id = ?1
           AND e.user_hash = j.value->>'user_hash' AND e.before_version >= j.value->>'version')
         ON CONFLICT (partner_id, user_id) DO UPDATE SET last_ping_at = excluded.last_ping_at
           WHERE excluded.last_ping_at > users.last_ping_at`,
      )
      .bind(partnerId, slice),
  );
}

const erasureSchema = z.object({
  partner_id: z.string(),
  user_hash: z.string(),
  before_version: z.number(),
  user_id: z.string(),
  sources: z.string().transform((text) => z.array(z.string()).parse(JSON.parse(text))),
  sweeps_left: z.number(),
});
export type Erasure = z.infer<typeof erasureSchema>;

/** A consumer may run for 15 minutes: what it wrote after the first sweep, the second finds. */
const SECOND_SWEEP_AFTER_MS = 20 * 60_000;
const SWEEPS = 2;

/** SQL for the rows of the user to erase, in a table whose ids begin with the user's route. */
const ofUser = (id: string) => `partner_id = ?1 AND ${id} >= ?5 AND ${id} < ?6 AND user_id = ?4`;

/** The statement that begins an erasure up to `bound`, an SQL expression. */
function erasureUpTo(bound: string): string {
  return `INSERT INTO erased (partner_id, user_hash, before_version, user_id, sources, next_sweep_at, sweeps_left)
    SELECT ?1, ?2, ${bound}, ?4, (SELECT json_group_array(source) FROM (
        SELECT source FROM files WHERE ${ofUser("file_id")}
        UNION SELECT source FROM imports WHERE ${ofUser("import_id")})), ?3, ?7
    WHERE EXISTS (SELECT 1 FROM users WHERE partner_id = ?1 AND user_id = ?4)
      OR EXISTS (SELECT 1 FROM files WHERE ${ofUser("file_id")})
      OR EXISTS (SELECT 1 FROM imports WHERE ${ofUser("import_id")})
    ON CONFLICT (partner_id, user_hash) DO UPDATE SET before_version = max(before_version, excluded.before_version),
      user_id = excluded.user_id, sources = excluded.sources, next_sweep_at = excluded.next_sweep_at,
      sweeps_left = excluded.sweeps_left
    RETURNING partner_id, user_hash, before_version, user_id, sources, sweeps_left`;
}

/**
 * Forbids everything of a user up to now, and notes the work that this makes, which the clock takes up by itself;
 * for whoever runs it, with `erasureValues`. It answers no row when the user is unknown.
 */
export const BEGIN_ERASURE = erasureUpTo(`max(?3,
  (SELECT coalesce(max(version), 0) FROM files WHERE ${ofUser("file_id")}),
  (SELECT coalesce(max(requested_at), 0) FROM imports WHERE ${ofUser("import_id")}))`);

/** The same up to a bound of before, however new what can be read of the user is: that came after it. */
export const ERASE_AGAIN = erasureUpTo("?3");

/** `boundMs` is now, or the bound of before. */
export function erasureValues(partnerId: string, user: PingedUser, boundMs: number): (string | number)[] {
  const route = user.user_hash.slice(0, ROUTE_LENGTH);
  return [partnerId, user.user_hash, boundMs, user.user_id, route, rangeEnd(route), SWEEPS];
}

/**
 * Forbids everything of a user up to now, and notes the work that this makes; from here on nothing older comes
 * back. Versions may be ahead of this clock, so what can be read of the user pushes the bound.
 * Null when the user is unknown. Repeating it starts the sweeps again.
 */
export async function beginErasure(
  db: D1Database,
  partnerId: string,
  user: PingedUser,
  nowMs: number,
): Promise<Erasure | null> {
  const row = await db
    .prepare(BEGIN_ERASURE)
    .bind(...erasureValues(partnerId, user, nowMs))
    .first();
  return row === null ? null : erasureSchema.parse(row);
}

/** The bound of every erasure that is remembered, and every user: what a restored database is compared by. */
export const ALL_ERASED = "SELECT partner_id, user_hash, before_version FROM erased";
export const ALL_USERS = "SELECT partner_id, user_id FROM users";

/** One that fails is tried again after this, behind the others. */
const SWEEP_AGAIN_AFTER_MS = 60_000;

/** Erasures whose next sweep is due, longest due first; at most `limit`. The next look leaves them out for a while. */
export async function takeDueErasures(db: D1Database, nowMs: number, limit: number): Promise<Erasure[]> {
  const found = await db
    .prepare(
      `UPDATE erased SET next_sweep_at = ?2 WHERE (partner_id, user_hash) IN (
         SELECT partner_id, user_hash FROM erased WHERE next_sweep_at <= ?1 ORDER BY next_sweep_at LIMIT ?3)
       RETURNING partner_id, user_hash, before_version, user_id, sources, sweeps_left`,
    )
    .bind(nowMs, nowMs + SWEEP_AGAIN_AFTER_MS, limit)
    .all();
  return z.array(erasureSchema).parse(found.results);
}

/** Deletes finished erasures up to this bound, in Unix milliseconds, oldest first and at most `limit`. Returns how many. */
export async function deleteExpiredErasures(
  db: D1Database,
  throughMs: number,
  limit: number,
): Promise<number> {
  const { meta } = await db
    .prepare(
      `DELETE FROM erased WHERE (partner_id, user_hash) IN (
         SELECT partner_id, user_hash FROM erased WHERE next_sweep_at IS NULL AND before_version <= ?
         ORDER BY before_version LIMIT ?)`,
    )
    .bind(throughMs, limit)
    .run();
  return meta.changes;
}

/** Keys of the objects that the read model names for what is erased. */
export async function objectKeysOf(db: D1Database, erasure: Erasure): Promise<string[]> {
  const route = erasure.user_hash.slice(0, ROUTE_LENGTH);
  const found = await db
    .prepare(
      `SELECT CASE WHEN stored_version <= ?5 THEN object_key END readable,
         CASE WHEN failed_version <= ?5 THEN failed_object_key END failed
       FROM files WHERE partner_id = ?1 AND file_id >= ?2 AND file_id < ?3 AND user_id = ?4
         AND (stored_version <= ?5 OR failed_version <= ?5)`,
    )
    .bind(erasure.partner_id, route, rangeEnd(route), erasure.user_id, erasure.before_version)
    .all<{ readable: string | null; failed: string | null }>();
  return found.results.flatMap((row) => [row.readable, row.failed]).filter((key) => key !== null);
}

/** Statements that take everything of the user up to the bound out of the read model, and count the sweep. */
export function eraseRows(db: D1Database, erasure: Erasure, nowMs: number): D1PreparedStatement[] {
  const { partner_id, user_id, before_version, user_hash } = erasure;
  const route = user_hash.slice(0, ROUTE_LENGTH);
  const inRange = (sql: string) =>
    db.prepare(sql).bind(partner_id, route, rangeEnd(route), user_id, before_version);
  const last = erasure.sweeps_left <= 1;
  return [
    // A kept answer would tell a repeated ping that its file is queued; the ping is to start afresh.
    db.prepare("DELETE FROM idempotent_requests WHERE partner_id = ?").bind(partner_id),
    inRange(
      `DELETE FROM activities
       WHERE partner_id = ?1 AND file_id >= ?2 AND file_id < ?3 AND user_id = ?4 AND version <= ?5`,
    ),
    inRange(
      `DELETE FROM files
       WHERE partner_id = ?1 AND file_id >= ?2 AND file_id < ?3 AND user_id = ?4 AND version <= ?5`,
    ),
    db
      .prepare(
        `DELETE FROM file_batches WHERE partner_id = ?1 AND first_file_id >= ?2 AND first_file_id < ?3
           AND NOT EXISTS (SELECT 1 FROM json_each(file_ids) j
             CROSS JOIN files f ON f.partner_id = ?1 AND f.file_id = j.value)`,
      )
      .bind(partner_id, route, rangeEnd(route)),
    // Files pinged again meanwhile stay, without the bytes of before.
    inRange(
      `UPDATE files SET stored_version = NULL, object_key = NULL, sha256 = NULL, size_in_bytes = NULL,
         warnings = '[]', activity_count = 0
       WHERE partner_id = ?1 AND file_id >= ?2 AND file_id < ?3 AND user_id = ?4 AND stored_version <= ?5`,
    ),
    inRange(
      `UPDATE files SET failed_version = NULL, failed_object_key = NULL,
         sha256 = CASE WHEN object_key IS NOT NULL THEN sha256 END,
         size_in_bytes = CASE WHEN object_key IS NOT NULL THEN size_in_bytes END
       WHERE partner_id = ?1 AND file_id >= ?2 AND file_id < ?3 AND user_id = ?4 AND failed_version <= ?5`,
    ),
    inRange(
      `DELETE FROM import_missing
       WHERE partner_id = ?1 AND import_id IN (SELECT import_id FROM imports
         WHERE partner_id = ?1 AND import_id >= ?2 AND import_id < ?3 AND user_id = ?4 AND requested_at <= ?5)`,
    ),
    inRange(
      `DELETE FROM imports
       WHERE partner_id = ?1 AND import_id >= ?2 AND import_id < ?3 AND user_id = ?4 AND requested_at <= ?5`,
    ),
    // A delivery may be made a moment after the bound, of an import from before it.
    ...["evt_", "plan_"].map((prefix) =>
      db
        .prepare(
          `DELETE FROM deliveries
           WHERE partner_id = ?1 AND delivery_id >= ?2 AND delivery_id < ?3 AND user_id = ?4 AND NOT EXISTS (
             SELECT 1 FROM imports i WHERE i.partner_id = ?1 AND i.import_id = deliveries.import_id)`,
        )
        .bind(partner_id, prefix + route, rangeEnd(prefix + route), user_id),
    ),
    db
      .prepare(
        `DELETE FROM users WHERE partner_id = ?1 AND user_id = ?4 AND NOT EXISTS (
           SELECT 1 FROM files WHERE partner_id = ?1 AND file_id >= ?2 AND file_id < ?3 AND user_id = ?4)`,
      )
      .bind(partner_id, route, rangeEnd(route), user_id),
    db
      .prepare(
        `UPDATE erased SET sweeps_left = ?4, next_sweep_at = ?3,
           user_id = CASE WHEN ?4 > 0 THEN user_id END, sources = CASE WHEN ?4 > 0 THEN sources END
         WHERE partner_id = ?1 AND user_hash = ?2 AND before_version = ?5`,
      )
      .bind(
        partner_id,
        user_hash,
        last ? null : nowMs + SECOND_SWEEP_AFTER_MS,
        last ? 0 : erasure.sweeps_left - 1,
        before_version,
      ),
  ];
}

/** Asks for `before_version`, the bound of an erased user; no row when nothing was ever erased. */
export function readErased(db: D1Database, partnerId: string, userHash: string): D1PreparedStatement {
  return db
    .prepare("SELECT before_version FROM erased WHERE partner_id = ? AND user_hash = ?")
    .bind(partnerId, userHash);
}

const boundRows = z.array(z.object({ before_version: z.number() }));

/** What `readErased` has found; 0 when nothing was ever erased. */
export function boundOf(result: D1Result | undefined): number {
  return boundRows.parse(result?.results ?? [])[0]?.before_version ?? 0;
}

/** Asks for the bounds of those of these users that were ever erased. */
export function readErasures(
  db: D1Database,
  partnerId: string,
  users: readonly PingedUser[],
): D1PreparedStatement {
  const hashes = JSON.stringify(users.map((user) => user.user_hash));
  return db
    .prepare(
      `SELECT user_hash, before_version FROM erased
       WHERE partner_id = ? AND user_hash IN (SELECT value FROM json_each(?))`,
    )
    .bind(partnerId, hashes);
}

const erasureRows = z.array(z.object({ user_hash: z.string(), before_version: z.number() }));

/** What `readErasures` has found, by user hash. */
export function erasuresOf(result: D1Result | undefined): Map<string, number> {
  const rows = erasureRows.parse(result?.results ?? []);
  return new Map(rows.map((row) => [row.user_hash, row.before_version]));
}
