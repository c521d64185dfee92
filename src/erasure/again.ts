import { z } from "zod";
import { userHash } from "../identifiers.ts";
import type { ErasedUser } from "./begin.ts";

/** Queries that compare a restored database with a saved list: the bound of every erasure, and every user. */
export const ALL_ERASED = "SELECT partner_id, user_hash, before_version FROM erased";
export const ALL_USERS = "SELECT partner_id, user_id FROM users";

/** Rows of `ALL_ERASED`. */
export const erasedSchema = z.array(
  z.object({ partner_id: z.string(), user_hash: z.string(), before_version: z.number() }),
);
/** Rows of `ALL_USERS`. */
export const usersSchema = z.array(z.object({ partner_id: z.string(), user_id: z.string() }));

/** A user that a restored database has brought back, and the bound up to which to erase it again. */
export interface BroughtBack extends ErasedUser {
  partner_id: string;
  before_version: number;
}

/**
 * Returns the users that a restored database has brought back. The list that was saved before the restore has them as
 * erased; the restored database does not, or only up to a lower bound.
 */
export function erasedAgain(
  saved: z.infer<typeof erasedSchema>,
  restored: z.infer<typeof erasedSchema>,
  users: z.infer<typeof usersSchema>,
): BroughtBack[] {
  const keyOf = (partnerId: string, hash: string) => `${partnerId}/${hash}`;
  const boundsOf = (rows: z.infer<typeof erasedSchema>) =>
    new Map(rows.map((row) => [keyOf(row.partner_id, row.user_hash), row.before_version] as const));
  const wanted = boundsOf(saved);
  const known = boundsOf(restored);
  return users.flatMap(({ partner_id, user_id }) => {
    const user_hash = userHash(partner_id, user_id);
    const key = keyOf(partner_id, user_hash);
    const before_version = wanted.get(key);
    return before_version === undefined || before_version <= (known.get(key) ?? -1)
      ? []
      : [{ partner_id, user_id, user_hash, before_version }];
  });
}
