/**
 * Returns the SQL condition of every statement that writes about a user: no erasure of the user covers the version.
 * Both parameters are SQL expressions. `?1` is the partner's id.
 */
export function notErased(userHash: string, version: string): string {
  return `NOT EXISTS (SELECT 1 FROM erased e
    WHERE e.partner_id = ?1 AND e.user_hash = ${userHash} AND e.before_version >= ${version})`;
}
