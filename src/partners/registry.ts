import { NO_USAGE, usageKey, usageSchema, type Usage } from "../usage/usage.ts";
import { partnerKey, partnerSchema, type Partner } from "./partner.ts";

/** KV's own shortest cache; it bounds how long a revoked key or an old setting lives on. */
const CACHE_SECONDS = 30;

/** The settings that were read last, by their text: most requests of an isolate read the same. */
let lastRead: { text: string; partner: Partner } | null = null;

/** Reads a partner's settings; null when there is none. Throws when KV is down. */
export async function readPartner(partners: KVNamespace, partnerId: string): Promise<Partner | null> {
  const text = await partners.get(partnerKey(partnerId), { type: "text", cacheTtl: CACHE_SECONDS });
  return text === null ? null : parsed(text);
}

function parsed(text: string): Partner {
  if (lastRead?.text !== text) lastRead = { text, partner: partnerSchema.parse(JSON.parse(text)) };
  return lastRead.partner;
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
): Promise<{ partner: Partner; usage: Usage } | null> {
  const remembered = usages.get(partnerId);
  if (remembered !== undefined && nowMs < remembered.until) {
    const partner = await readPartner(partners, partnerId);
    return partner === null ? null : { partner, usage: remembered.usage };
  }
  const keys = [partnerKey(partnerId), usageKey(partnerId)] as const;
  const texts = await partners.get([...keys], { type: "text", cacheTtl: CACHE_SECONDS });
  const text = texts.get(keys[0]) ?? null;
  if (text === null) return null;
  const published = texts.get(keys[1]) ?? null;
  const usage = published === null ? NO_USAGE : usageSchema.parse(JSON.parse(published));
  usages.delete(partnerId);
  usages.set(partnerId, { usage, until: nowMs + USAGE_KEPT_FOR_MS });
  const [oldest] = usages.keys();
  if (usages.size > REMEMBERED_USAGES && oldest !== undefined) usages.delete(oldest);
  return { partner: parsed(text), usage };
}
