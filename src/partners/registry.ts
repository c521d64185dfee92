import { NO_USAGE, usageKey, usageSchema, type Usage } from "../usage/usage.ts";
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
  return remember(partnerId, text);
}

function remember(partnerId: string, text: string | null): Partner | null {
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
 * Returns the settings and usage of a partner that this isolate has read before, else null. Reads them again at most once
 * in 30 s, so that its callers cause a bounded number of reads of KV.
 */
export async function readKnownPartner(
  partners: KVNamespace,
  partnerId: string,
  nowMs: number,
): Promise<PartnerAndUsage | null> {
  const last = reads.get(partnerId);
  if (last === undefined) return null;
  if (nowMs - last.at < CACHE_SECONDS * 1_000) {
    return { partner: last.partner, usage: usages.get(partnerId)?.usage ?? NO_USAGE };
  }
  // Requests that come meanwhile use the old settings.
  last.at = nowMs;
  return readPartnerAndUsage(partners, partnerId, nowMs);
}

/** A partner's settings, with what it keeps. */
export interface PartnerAndUsage {
  partner: Partner;
  usage: Usage;
}

/** An isolate reads a partner's usage again after this. The clock publishes it once a minute at most. */
const USAGE_KEPT_FOR_MS = 60_000;
/** Partners whose usage an isolate remembers. */
const REMEMBERED_USAGES = 1_000;
const usages = new Map<string, { usage: Usage; until: number }>();

/**
 * Reads a partner's settings with its usage as it was published last, in one call of KV; null when there is no such
 * partner. The usage may be minutes old. Throws when KV is down.
 */
export async function readPartnerAndUsage(
  partners: KVNamespace,
  partnerId: string,
  nowMs: number,
): Promise<PartnerAndUsage | null> {
  const remembered = usages.get(partnerId);
  if (remembered !== undefined && nowMs < remembered.until) {
    const partner = await readPartner(partners, partnerId);
    return partner === null ? null : { partner, usage: remembered.usage };
  }
  const keys = [partnerKey(partnerId), usageKey(partnerId)] as const;
  const texts = await partners.get([...keys], { type: "text", cacheTtl: CACHE_SECONDS });
  const partner = remember(partnerId, texts.get(keys[0]) ?? null);
  if (partner === null) return null;
  const published = texts.get(keys[1]) ?? null;
  const usage = published === null ? NO_USAGE : usageSchema.parse(JSON.parse(published));
  usages.delete(partnerId);
  usages.set(partnerId, { usage, until: nowMs + USAGE_KEPT_FOR_MS });
  const [oldest] = usages.keys();
  if (usages.size > REMEMBERED_USAGES && oldest !== undefined) usages.delete(oldest);
  return { partner, usage };
}
