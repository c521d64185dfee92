import { z } from "zod";
import { userHash } from "../identifiers.ts";

/** Rows of `ALL_ERASED`. */
export const erasedSchema = z.array(
  z.object({ partner_id: z.string(), user_hash: z.string(), before_version: z.number() }),
);
/** Rows of `ALL_USERS`. */
export const usersSchema = z.array(z.object({ partner_id: z.string(), user_id: z.string() }));

/**
 * Users that a restored database has brought back: erased by what was saved before the restoration, and not, or
 * only up to an earlier bound, by what is there now.
 */
export function erasedAgain(
  saved: z.infer<typeof erasedSchema>,
  restored: z.infer<typeof erasedSchema>,
  users: z.infer<typeof usersSchema>,
): z.infer<typeof usersSchema> {
  const keyOf = (partnerId: string, hash: string) => `${partnerId}/${hash}`;
  const known = new Map(
    restored.map((row) => [keyOf(row.partner_id, row.user_hash), row.before_version] as const),
  );
  const lost = new Set(
    saved
      .map((row) => ({ key: keyOf(row.partner_id, row.user_hash), bound: row.before_version }))
      .filter(({ key, bound }) => bound > (known.get(key) ?? -1))
      .map(({ key }) => key),
  );
  return users.filter(({ partner_id, user_id }) =>
    lost.has(keyOf(partner_id, userHash(partner_id, user_id))),
  );
}
