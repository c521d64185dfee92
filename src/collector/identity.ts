import { collectorName, userHash } from "../identifiers.ts";
import { FIRST_DATABASE } from "../database/databases.ts";
import type { CollectorAddress, CollectorNames } from "./calls.ts";

/** The user and source of a collector, with the user's hash. */
export interface CollectorIdentity extends CollectorNames {
  user_hash: string;
}

/** Names from a caller or a collector that runs older code have no database. */
type NamesOfAnyCode = CollectorAddress & Partial<CollectorNames>;

/** Returns the identity of these names. Without a database, it is the first one, because older code had no other. */
export function identityOf({
  partner_id,
  user_id,
  source,
  database = FIRST_DATABASE,
}: NamesOfAnyCode): CollectorIdentity {
  return { partner_id, user_id, user_hash: userHash(partner_id, user_id), source, database };
}

/** Returns the name of the collector, by which Workers and queue messages address it. */
export function nameOf({ partner_id, user_id, source }: CollectorAddress): string {
  return collectorName(partner_id, user_id, source);
}
