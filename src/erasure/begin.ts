import { rangeEnd, ROUTE_LENGTH, userHash } from "../identifiers.ts";
import { DATABASE_NOW } from "../database/sql.ts";

/** A user, and the hash that identifies it in rows that must not contain its id. */
export interface ErasedUser {
  user_id: string;
  user_hash: string;
}

/** Number of sweeps. Work in flight may write for up to 15 minutes after the first one; the second deletes that. */
export const SWEEPS = 2;

/** Columns of an erasure under way. */
export const ERASURE_COLUMNS = "partner_id, user_hash, before_version, user_id, sweeps_left, step, after_id";

/** Returns the SQL condition for the user's rows in a table with ids that begin with the user's route. */
const ofUser = (id: string) => `partner_id = ?1 AND ${id} >= ?5 AND ${id} < ?6 AND user_id = ?4`;

/** Raises the bound of an erasure that exists, and starts its sweeps again. */
const OR_RESTART = `ON CONFLICT (partner_id, user_hash) DO UPDATE SET
  before_version = max(before_version, excluded.before_version),
  user_id = excluded.user_id, answers_void_until = excluded.answers_void_until,
  next_sweep_at = excluded.next_sweep_at, sweeps_left = excluded.sweeps_left, step = NULL, after_id = ''`;

/** Returns the statement that begins an erasure up to `bound`, an SQL expression. It does not walk the user's files. */
function erasureUpTo(bound: string): string {
  return `INSERT INTO erased (partner_id, user_hash, before_version, user_id, answers_void_until, next_sweep_at, sweeps_left)
    SELECT ?1, ?2, ${bound}, ?4, ${DATABASE_NOW}, ${DATABASE_NOW}, ?7
    WHERE EXISTS (SELECT 1 FROM users WHERE partner_id = ?1 AND user_id = ?4)
      OR EXISTS (SELECT 1 FROM user_sources WHERE partner_id = ?1 AND user_id = ?4)
      OR EXISTS (SELECT 1 FROM files WHERE ${ofUser("file_id")})
      OR EXISTS (SELECT 1 FROM imports WHERE ${ofUser("import_id")})
    ${OR_RESTART}
    RETURNING ${ERASURE_COLUMNS}`;
}

/**
 * Forbids all writes about a user up to now, and schedules the sweeps. Versions may be ahead of this clock, so the
 * bound is at least the user's newest version in the read model. Bind `erasureValues`. Returns no row when the user is
 * unknown. Repeating it starts the sweeps again.
 */
export const BEGIN_ERASURE = erasureUpTo(`max(?3,
  coalesce((SELECT newest_version FROM users WHERE partner_id = ?1 AND user_id = ?4), 0),
  (SELECT coalesce(max(requested_at), 0) FROM imports WHERE ${ofUser("import_id")}))`);

/** The same up to an earlier erasure's bound. Rows of the user above the bound are newer than that erasure, and stay. */
export const ERASE_AGAIN = erasureUpTo("?3");

/**
 * The same as `BEGIN_ERASURE` for several users. Parameters: the partner's id, now, and `erasuresValue`. Repeating it
 * starts the sweeps again.
 */
export const BEGIN_ERASURES = `INSERT INTO erased
    (partner_id, user_hash, before_version, user_id, answers_void_until, next_sweep_at, sweeps_left)
  SELECT ?1, j.value->>'user_hash', max(?2,
      coalesce((SELECT newest_version FROM users WHERE partner_id = ?1 AND user_id = j.value->>'user_id'), 0),
      (SELECT coalesce(max(requested_at), 0) FROM imports WHERE partner_id = ?1 AND import_id >= j.value->>'route'
        AND import_id < j.value->>'end' AND user_id = j.value->>'user_id')),
    j.value->>'user_id', ${DATABASE_NOW}, ${DATABASE_NOW}, ${SWEEPS}
  FROM json_each(?3) j WHERE true ${OR_RESTART} RETURNING user_hash`;

/** Returns the users of `BEGIN_ERASURES` as JSON. */
export function erasuresValue(partnerId: string, userIds: readonly string[]): string {
  return JSON.stringify(
    userIds.map((user_id) => {
      const user_hash = userHash(partnerId, user_id);
      const route = user_hash.slice(0, ROUTE_LENGTH);
      return { user_id, user_hash, route, end: rangeEnd(route) };
    }),
  );
}

/** Returns the values of `BEGIN_ERASURE` or `ERASE_AGAIN`. `boundMs` is now, or the earlier erasure's bound. */
export function erasureValues(partnerId: string, user: ErasedUser, boundMs: number): (string | number)[] {
  const route = user.user_hash.slice(0, ROUTE_LENGTH);
  return [partnerId, user.user_hash, boundMs, user.user_id, route, rangeEnd(route), SWEEPS];
}
