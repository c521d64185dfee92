import { databaseFor, type Owner } from "../database/databases.ts";
import { withRetries } from "../concurrency/withRetries.ts";
import type { Env } from "../env.ts";
import type { PartnerStores } from "./change.ts";
import { partnerKey } from "./partner.ts";
import { readPartner } from "./registry.ts";
import { runOn, type Run } from "./write.ts";

/** Returns the stores of a partner in the Worker. */
export function partnerStores(env: Env, owner: Owner): PartnerStores {
  return storesWith(env, runOn(databaseFor(env, owner)));
}

/** Returns the stores of partners in the database of `run`. */
export function storesWith({ PARTNERS }: Env, run: Run): PartnerStores {
  return {
    run,
    readPublished: async (partnerId) => readPartner(PARTNERS, partnerId),
    // KV accepts one write a second for a key.
    publish: async (partnerId, settings) =>
      withRetries(async () => PARTNERS.put(partnerKey(partnerId), settings)),
  };
}
