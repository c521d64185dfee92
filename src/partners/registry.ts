import { partnerKey, partnerSchema, type Partner } from "./partner.ts";

/** KV's own shortest cache; it bounds how long a revoked key or an old setting lives on. */
const CACHE_SECONDS = 30;

/** Reads a partner's settings; null when there is none. Throws when KV is down. */
export async function readPartner(partners: KVNamespace, partnerId: string): Promise<Partner | null> {
  const stored: unknown = await partners.get(partnerKey(partnerId), { type: "json", cacheTtl: CACHE_SECONDS });
  return stored === null ? null : partnerSchema.parse(stored);
}
