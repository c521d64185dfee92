import { collectorName, userHash } from "../identifiers.ts";
import type { CollectorNames } from "./calls.ts";

/** The user and source of a collector, with the user's hash. */
export interface CollectorIdentity extends CollectorNames {
  user_hash: string;
}

export function identityOf({ partner_id, user_id, source }: CollectorNames): CollectorIdentity {
  return { partner_id, user_id, user_hash: userHash(partner_id, user_id), source };
}

/** Returns the name of the collector, by which Workers and queue messages address it. */
export function nameOf({ partner_id, user_id, source }: CollectorNames): string {
  return collectorName(partner_id, user_id, source);
}
