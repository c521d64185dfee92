import { SETTINGS_CACHED_FOR_MS } from "../contract/limits.ts";
import { FULL_DATABASES_KEY, parseFullDatabases } from "../database/fullness.ts";
import { fieldsOfJson } from "../database/parse.ts";
import { NO_USAGE, usageKey, usageOf, type Usage } from "../usage/usage.ts";
import { partnerKey, partnerSchema, type Partner } from "./partner.ts";

/** `SETTINGS_CACHED_FOR_MS` in the unit of KV. */
const CACHE_SECONDS = SETTINGS_CACHED_FOR_MS / 1_000;
/** Maximum number of partners with cached settings in an isolate. The least recently read one is evicted. */
const MAX_CACHED_PARTNERS = 1_000;

interface CachedPartner {
  text: string;
  partner: Partner;
  /** When the settings were read, in Unix milliseconds. */
  at: number;
}

/** Settings that this isolate has read, by partner. */
const cachedPartners = new Map<string, CachedPartner>();

/** Returns a partner's settings, or null for an unknown partner. Throws if KV is unavailable. */
export async function readPartner(partners: KVNamespace, partnerId: string): Promise<Partner | null> {
  const text = await partners.get(partnerKey(partnerId), { type: "text", cacheTtl: CACHE_SECONDS });
  return parseAndCache(partnerId, text);
}

function parseAndCache(partnerId: string, text: string | null): Partner | null {
  const last = cachedPartners.get(partnerId);
  cachedPartners.delete(partnerId);
  if (text === null) return null;
  const partner = last?.text === text ? last.partner : partnerSchema.parse(JSON.parse(text));
  cachedPartners.set(partnerId, { text, partner, at: Date.now() });
  const [oldest] = cachedPartners.keys();
  if (cachedPartners.size > MAX_CACHED_PARTNERS && oldest !== undefined) cachedPartners.delete(oldest);
  return partner;
}

/**
 * Returns the settings and usage of a partner that this isolate has read before, else null. Reads KV at most once per
 * `CACHE_SECONDS` and partner, however many callers fail authentication.
 */
export async function readKnownPartner(
  partners: KVNamespace,
  partnerId: string,
  nowMs: number,
): Promise<PartnerAndUsage | null> {
  const last = cachedPartners.get(partnerId);
  if (last === undefined) return null;
  if (nowMs - last.at < CACHE_SECONDS * 1_000) {
    return withFullness(last.partner, cachedUsages.get(partnerId)?.usage ?? NO_USAGE);
  }
  // Set before the read, so that concurrent requests use the cached settings.
  last.at = nowMs;
  return readPartnerAndUsage(partners, partnerId, nowMs);
}

/** A partner's settings and usage, and whether its database is full. */
export interface PartnerAndUsage {
  partner: Partner;
  usage: Usage;
  isDatabaseFull: boolean;
}

/** Time for which an isolate caches a partner's usage. The scheduled sweep publishes it at most once a minute. */
const USAGE_CACHE_MS = 60_000;
/** Maximum number of partners with cached usage in an isolate. */
const MAX_CACHED_USAGES = 1_000;
/** Names of the full databases, as last read with a partner's usage. */
let fullDatabases: string[] = [];

function withFullness(partner: Partner, usage: Usage): PartnerAndUsage {
  return { partner, usage, isDatabaseFull: fullDatabases.includes(partner.database) };
}

const cachedUsages = new Map<string, { usage: Usage; until: number }>();

/**
 * Returns a partner's settings and published usage, and whether its database is full, with one call of KV. Null for an
 * unknown partner. The usage may be minutes old. Throws if KV is unavailable.
 */
export async function readPartnerAndUsage(
  partners: KVNamespace,
  partnerId: string,
  nowMs: number,
): Promise<PartnerAndUsage | null> {
  const cached = cachedUsages.get(partnerId);
  if (cached !== undefined && nowMs < cached.until) {
    const partner = await readPartner(partners, partnerId);
    return partner === null ? null : withFullness(partner, cached.usage);
  }
  const keys = [partnerKey(partnerId), usageKey(partnerId), FULL_DATABASES_KEY] as const;
  const texts = await partners.get([...keys], { type: "text", cacheTtl: CACHE_SECONDS });
  fullDatabases = parseFullDatabases(texts.get(keys[2]) ?? null);
  const partner = parseAndCache(partnerId, texts.get(keys[0]) ?? null);
  if (partner === null) return null;
  const published = texts.get(keys[1]) ?? null;
  const usage = published === null ? NO_USAGE : usageOf(fieldsOfJson(published));
  cachedUsages.delete(partnerId);
  cachedUsages.set(partnerId, { usage, until: nowMs + USAGE_CACHE_MS });
  const [oldest] = cachedUsages.keys();
  if (cachedUsages.size > MAX_CACHED_USAGES && oldest !== undefined) cachedUsages.delete(oldest);
  return withFullness(partner, usage);
}
