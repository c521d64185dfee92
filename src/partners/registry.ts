import { partnerKey, partnerSchema, type Partner } from "./partner.ts";

/** KV's own shortest cache; it bounds how long a revoked key or an old setting lives on. */
const CACHE_SECONDS = 30;

/** The settings that were read last, by their text: most requests of an isolate read the same. */
let lastRead: { text: string; partner: Partner } | null = null;

/** Reads a partner's settings; null when there is none. Throws when KV is down. */
export async function readPartner(partners: KVNamespace, partnerId: string): Promise<Partner | null> {
  const text = await partners.get(partnerKey(partnerId), { type: "text", cacheTtl: CACHE_SECONDS });
  if (text === null) return null;
  if (lastRead?.text !== text) lastRead = { text, partner: partnerSchema.parse(JSON.parse(text)) };
  return lastRead.partner;
}
