import { z } from "zod";
import { userHash } from "../identifiers.ts";
import type { PingedUser } from "./write.ts";

/** Rows of `ALL_ERASED`. */
export const erasedSchema = z.array(
  z.object({ partner_id: z.string(), user_hash: z.string(), before_version: z.number() }),
);
/** Rows of `ALL_USERS`. */
export const usersSchema = z.array(z.object({ partner_id: z.string(), user_id: z.string() }));

/** Somebody to erase again, up to the version that the saved erasure forbade. */
export interface BroughtBack extends PingedUser {
  partner_id: string;
  before_version: number;
}

/**
 * Users that a restored database has brought back: erased by what was saved before the restoration, and not, or
 * only up to an earlier bound, by what is there now.
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
