import { z } from "zod";
import { rangeEnd } from "../identifiers.ts";

/** Returns the statement that reads `before_version`, the bound up to which a user is erased. No row: never erased. */
export function readErased(db: D1Database, partnerId: string, userHash: string): D1PreparedStatement {
  return db
    .prepare("SELECT before_version FROM erased WHERE partner_id = ? AND user_hash = ?")
    .bind(partnerId, userHash);
}

const boundRows = z.array(z.object({ before_version: z.number() }));

/** Returns the bound of `readErased`'s result, or 0 when the user was never erased. */
export function boundOf(result: D1Result | undefined): number {
  return boundRows.parse(result?.results ?? [])[0]?.before_version ?? 0;
}

/** Returns the statement that reads the bounds of these users' erasures. */
export function readErasures(
  db: D1Database,
  partnerId: string,
  userHashes: readonly string[],
): D1PreparedStatement {
  return db
    .prepare(
      `SELECT user_hash, before_version FROM erased
       WHERE partner_id = ? AND user_hash IN (SELECT value FROM json_each(?))`,
    )
    .bind(partnerId, JSON.stringify(userHashes));
}

/** Returns the statement that reads the bounds of all users with this route, nearly always one user. */
export function readErasuresOfRoute(db: D1Database, partnerId: string, route: string): D1PreparedStatement {
  return db
    .prepare(
      "SELECT user_hash, before_version FROM erased WHERE partner_id = ? AND user_hash >= ? AND user_hash < ?",
    )
    .bind(partnerId, route, rangeEnd(route));
}

const erasureRows = z.array(z.object({ user_hash: z.string(), before_version: z.number() }));

/** Returns the bounds of these statements' results, by user hash. */
export function erasuresOf(result: D1Result | undefined): Map<string, number> {
  const rows = erasureRows.parse(result?.results ?? []);
  return new Map(rows.map((row) => [row.user_hash, row.before_version]));
}
