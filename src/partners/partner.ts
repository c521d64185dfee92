import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { PartnerSettings } from "./settings.ts";

/** Partner ids stand in headers, keys and paths as they are. */
export const PARTNER_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** Rate limits of a new partner of a deployed service, unless the operator sets others. */
export const DEFAULT_LIMITS = { requests_per_minute: 6_000, files_per_minute: 60_000 };
/** What a new partner of a deployed service may keep: a read model of 5.5 GB, and a million files of 1 MB. */
export const DEFAULT_QUOTAS = { files: 1_000_000, stored_bytes: 1_000_000_000_000 };

const key = z.object({
  key_id: z.string(),
  /** SHA-256 of the key, hexadecimal: a key is 256 random bits, so a plain digest cannot be guessed back. */
  digest: z.string().length(64),
  created_at: z.string(),
  expires_at: z.string().nullable(),
});

const webhookSecret = z.object({
  secret_id: z.string(),
  secret: z.string(),
  created_at: z.string(),
  expires_at: z.string().nullable(),
});

/** What the registry keeps of a partner; null limits mean none. */
export const partnerSchema = z.object({
  partner_id: z.string().regex(PARTNER_ID),
  name: z.string().nullable(),
  status: z.enum(["active", "suspended"]),
  created_at: z.string(),
  keys: z.array(key),
  event_url: z.string().nullable(),
  webhook_secrets: z.array(webhookSecret),
  /** Hosts that callback URLs may name; empty: any public host. */
  callback_hosts: z.array(z.string()),
  limits: z.object({ requests_per_minute: z.number().nullable(), files_per_minute: z.number().nullable() }),
  quotas: z.object({ files: z.number().nullable(), stored_bytes: z.number().nullable() }),
});
export type Partner = z.infer<typeof partnerSchema>;

export function partnerKey(partnerId: string): string {
  return `partner:${partnerId}`;
}

export function newAuthKey(): string {
  return `aep_${randomBytes(32).toString("base64url")}`;
}

/** A Standard Webhooks secret: `whsec_` and 32 random bytes in base64. */
export function newWebhookSecret(): string {
  return `whsec_${randomBytes(32).toString("base64")}`;
}

/** What stands for a key wherever it is kept. */
export function digestOf(authKey: string): string {
  return sha256(authKey).toString("hex");
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** Entries whose end has not come. */
export function live<T extends { expires_at: string | null }>(entries: readonly T[], nowMs: number): T[] {
  return entries.filter((entry) => entry.expires_at === null || Date.parse(entry.expires_at) > nowMs);
}

/** Returns the settings as the partner and the operator read them, with the keys and secrets that are live. */
export function settingsOf(partner: Partner, nowMs: number): PartnerSettings {
  const {
    partner_id,
    name,
    status,
    created_at,
    keys,
    event_url,
    webhook_secrets,
    callback_hosts,
    limits,
    quotas,
  } = partner;
  return {
    partner_id,
    name,
    status,
    created_at,
    keys: live(keys, nowMs).map(({ key_id, created_at, expires_at }) => ({ key_id, created_at, expires_at })),
    event_url,
    webhook_secrets: live(webhook_secrets, nowMs).map(({ secret_id, created_at, expires_at }) => ({
      secret_id,
      created_at,
      expires_at,
    })),
    callback_hosts,
    limits,
    quotas,
  };
}

/**
 * The `key_id` of the live key that this is, or null. Digests are compared, in constant time, against every live
 * key: equal lengths, and no early way out.
 */
export function liveKeyId(partner: Pick<Partner, "keys">, authKey: string, nowMs: number): string | null {
  const offered = sha256(authKey);
  let found: string | null = null;
  for (const entry of live(partner.keys, nowMs)) {
    if (timingSafeEqual(offered, Buffer.from(entry.digest, "hex"))) found = entry.key_id;
  }
  return found;
}
