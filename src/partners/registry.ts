import { partnerKey, partnerSchema, type Partner } from "./partner.ts";

/** KV's own shortest cache; it bounds how long a revoked key or an old setting lives on. */
const CACHE_SECONDS = 30;
/** Maximum number of partners whose settings an isolate remembers. The one that was read longest ago is deleted first. */
const REMEMBERED_PARTNERS = 1_000;

interface Read {
  text: string;
  partner: Partner;
  /** Unix milliseconds. */
  at: number;
}

/** Settings by partner, as this isolate read them last. */
const reads = new Map<string, Read>();

/** Reads a partner's settings; null when there is none. Throws when KV is down. */
export async function readPartner(partners: KVNamespace, partnerId: string): Promise<Partner | null> {
  const text = await partners.get(partnerKey(partnerId), { type: "text", cacheTtl: CACHE_SECONDS });
  const last = reads.get(partnerId);
  reads.delete(partnerId);
  if (text === null) return null;
  const partner = last?.text === text ? last.partner : partnerSchema.parse(JSON.parse(text));
  reads.set(partnerId, { text, partner, at: Date.now() });
  const [oldest] = reads.keys();
  if (reads.size > REMEMBERED_PARTNERS && oldest !== undefined) reads.delete(oldest);
  return partner;
}

/**
 * Returns the settings of a partner that this isolate has read before, else null. Reads them again at most once in 30 s,
 * so that its callers cause a bounded number of reads of KV.
 */
export async function readKnownPartner(partners: KVNamespace, partnerId: string): Promise<Partner | null> {
  const last = reads.get(partnerId);
  if (last === undefined) return null;
  if (Date.now() - last.at < CACHE_SECONDS * 1_000) return last.partner;
  // Requests that come meanwhile use the old settings.
  last.at = Date.now();
  return readPartner(partners, partnerId);
}
