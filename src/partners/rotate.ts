import { randomId } from "../identifiers.ts";
import { digestOf, unexpired, type Key, type Partner, type WebhookSecret } from "./partner.ts";

/** The result of a rotation. */
export interface Rotated {
  partner: Partner;
  /** The id of the new key or secret. */
  new_id: string;
  /** Older keys or secrets that have not expired. */
  old: { id: string; expires_at: string }[];
}

/** Sets the expiry of a key or secret to `endMs`, unless it expires earlier. */
function expireBy<T extends { expires_at: string | null }>(
  entry: T,
  endMs: number,
): T & { expires_at: string } {
  const end = entry.expires_at === null ? endMs : Math.min(endMs, Date.parse(entry.expires_at));
  return { ...entry, expires_at: new Date(end).toISOString() };
}

/** Returns the stored form of a new key. */
export function newKey(
  authKey: string,
  { label = null, scope = "full", expires_at = null }: Partial<Pick<Key, "label" | "scope" | "expires_at">>,
  now: Date,
): Key {
  const created_at = now.toISOString();
  return { key_id: `key_${randomId()}`, digest: digestOf(authKey), created_at, expires_at, label, scope };
}

/** Adds a new key. The older keys expire within `overlapMs`. Removes expired keys. */
export function rotateKey(partner: Partner, authKey: string, overlapMs: number, now: Date): Rotated {
  const old = unexpired(partner.keys, now.getTime()).map((key) => expireBy(key, now.getTime() + overlapMs));
  const fresh = newKey(authKey, {}, now);
  return {
    partner: { ...partner, keys: [...old, fresh] },
    new_id: fresh.key_id,
    old: unexpired(old, now.getTime()).map(({ key_id, expires_at }) => ({ id: key_id, expires_at })),
  };
}

/** Returns the secrets with a new one. The older ones expire within `overlapMs`; until then events are signed with each. */
export function withNewSecret(
  secrets: readonly WebhookSecret[],
  secret: string,
  overlapMs: number,
  now: Date,
): { secrets: WebhookSecret[]; secret_id: string; old: (WebhookSecret & { expires_at: string })[] } {
  const old = unexpired(secrets, now.getTime()).map((entry) => expireBy(entry, now.getTime() + overlapMs));
  const secret_id = `secret_${randomId()}`;
  const fresh = { secret_id, secret, created_at: now.toISOString(), expires_at: null };
  return { secrets: [...old, fresh], secret_id, old };
}

/** Adds a new webhook secret to a partner's settings. */
export function rotateSecret(partner: Partner, secret: string, overlapMs: number, now: Date): Rotated {
  const { secrets, secret_id, old } = withNewSecret(partner.webhook_secrets, secret, overlapMs, now);
  return {
    partner: { ...partner, webhook_secrets: secrets },
    new_id: secret_id,
    old: unexpired(old, now.getTime()).map((entry) => ({
      id: entry.secret_id,
      expires_at: entry.expires_at,
    })),
  };
}

/** Removes a key. Returns null if the partner has no unexpired key with this id. */
export function revokeKey(partner: Partner, keyId: string, now: Date): Partner | null {
  if (!unexpired(partner.keys, now.getTime()).some(({ key_id }) => key_id === keyId)) return null;
  return { ...partner, keys: partner.keys.filter(({ key_id }) => key_id !== keyId) };
}
