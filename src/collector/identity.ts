import { collectorName, userHash } from "../identifiers.ts";
import type { CollectorNames } from "./calls.ts";

/** Whose files a collector owns: one user's from one source. */
export interface CollectorIdentity extends CollectorNames {
  user_hash: string;
}

export function identityOf({ partner_id, user_id, source }: CollectorNames): CollectorIdentity {
  return { partner_id, user_id, user_hash: userHash(partner_id, user_id), source };
}

/** The name by which others reach this collector. */
export function nameOf({ partner_id, user_id, source }: CollectorNames): string {
  return collectorName(partner_id, user_id, source);
}
