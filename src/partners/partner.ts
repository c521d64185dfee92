import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { KEY_SCOPES } from "../contract/keyScopes.ts";
import { DATABASE_NAME, FIRST_DATABASE } from "../database/databases.ts";
import type { PartnerSettings } from "./settings.ts";

/** Form of a partner id. Ids are used unencoded in headers, keys and paths. */
export const PARTNER_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** Rate limits of a new partner of a deployed service, unless the operator sets others. */
export const DEFAULT_LIMITS = { requests_per_minute: 6_000, files_per_minute: 60_000 };
/** Quotas of a new partner of a deployed service: a million files of 1 MB. Their read model takes 5.5 GB. */
export const DEFAULT_QUOTAS = { files: 1_000_000, stored_bytes: 1_000_000_000_000 };

const key = z.object({
  key_id: z.string(),
  /** SHA-256 of the key, in hexadecimal. A key has 256 random bits, so it needs no salt and no slow hash. */
  digest: z.string().length(64),
  created_at: z.string(),
  expires_at: z.string().nullable(),
  label: z.string().nullable().default(null),
  scope: z.enum(KEY_SCOPES).default("full"),
});
/** A key, without the key itself. */
export type Key = z.infer<typeof key>;

const webhookSecret = z.object({
  secret_id: z.string(),
  secret: z.string(),
  created_at: z.string(),
  expires_at: z.string().nullable(),
});
/** A secret that signs events. */
export type WebhookSecret = z.infer<typeof webhookSecret>;

/** A partner as the registry stores it. A limit or quota of null means none. */
export const partnerSchema = z.object({
  partner_id: z.string().regex(PARTNER_ID),
  name: z.string().nullable(),
  status: z.enum(["active", "suspended"]),
  /** Start of the suspension. Missing for an active partner. */
  suspended_at: z.string().optional(),
  created_at: z.string(),
  /** Number of changes. Of two settings of a partner, the one with the higher revision is newer. */
  revision: z.number().int().default(0),
  /** Whether an operator has locked self-service changes. */
  self_service_locked: z.boolean().default(false),
  /** Binding of the database with all rows of the partner. Never changes. */
  database: z.string().regex(DATABASE_NAME).default(FIRST_DATABASE),
  keys: z.array(key),
  event_url: z.string().nullable(),
  webhook_secrets: z.array(webhookSecret),
  /** Hosts that callback URLs may use. If empty, any public host. */
  callback_hosts: z.array(z.string()),
  /** Sources in the order in which the partner prefers their recordings. Other sources come after them. */
  source_order: z.array(z.string()).default([]),
  /** Whether held files are downloaded before their task. */
  prefetch_held: z.boolean().default(false),
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

/** Returns a Standard Webhooks secret: `whsec_` and 32 random bytes in base64. */
export function newWebhookSecret(): string {
  return `whsec_${randomBytes(32).toString("base64")}`;
}

/** Returns the partner with a suspension. Keeps the start of an earlier one. */
export function suspended(partner: Partner, now: Date): Partner & { suspended_at: string } {
  const since = partner.status === "suspended" ? partner.suspended_at : undefined;
  return { ...partner, status: "suspended", suspended_at: since ?? now.toISOString() };
}

/** Returns the partner without a suspension. */
export function resumed({ suspended_at: _ended, ...partner }: Partner): Partner {
  return { ...partner, status: "active" };
}

/** Returns the digest that is stored in place of a key. */
export function digestOf(authKey: string): string {
  return sha256(authKey).toString("hex");
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** Returns the keys or secrets that have not expired. */
export function unexpired<T extends { expires_at: string | null }>(
  entries: readonly T[],
  nowMs: number,
): T[] {
  return entries.filter((entry) => entry.expires_at === null || Date.parse(entry.expires_at) > nowMs);
}

/** Returns secrets as partners read them: without the secrets themselves. */
export function publicSecrets(secrets: readonly WebhookSecret[]): PartnerSettings["webhook_secrets"] {
  return secrets.map(({ secret_id, created_at, expires_at }) => ({ secret_id, created_at, expires_at }));
}

/** Returns a key as partners read it: without its digest. */
export function publicKey({
  key_id,
  label,
  scope,
  created_at,
  expires_at,
}: Key): PartnerSettings["keys"][number] {
  return { key_id, label, scope, created_at, expires_at };
}

/** Returns the settings that partners and operators read, with the keys and secrets that have not expired. */
export function settingsOf(partner: Partner, nowMs: number): PartnerSettings {
  const {
    partner_id,
    name,
    status,
    created_at,
    self_service_locked,
    keys,
    event_url,
    webhook_secrets,
    callback_hosts,
    source_order,
    prefetch_held,
    limits,
    quotas,
  } = partner;
  return {
    partner_id,
    name,
    status,
    created_at,
    self_service_locked,
    keys: unexpired(keys, nowMs).map(publicKey),
    event_url,
    webhook_secrets: publicSecrets(unexpired(webhook_secrets, nowMs)),
    callback_hosts,
    source_order,
    prefetch_held,
    limits,
    quotas,
  };
}

/**
 * Returns the stored form of a key of the partner. Null if the key is not the partner's or has expired. Compares with every
 * unexpired key in constant time and does not return early.
 */
export function validKey(partner: Pick<Partner, "keys">, authKey: string, nowMs: number): Key | null {
  const offered = sha256(authKey);
  let found: Key | null = null;
  for (const entry of unexpired(partner.keys, nowMs)) {
    if (timingSafeEqual(offered, Buffer.from(entry.digest, "hex"))) found = entry;
  }
  return found;
}
