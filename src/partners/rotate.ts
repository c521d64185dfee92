import { randomId } from "../identifiers.ts";
import { digestOf, live, type Partner } from "./partner.ts";

/** What is new, and until when what it follows goes on. */
export interface Rotated {
  partner: Partner;
  new_id: string;
  /** Everything older that is still live, with its end. */
  old: { id: string; expires_at: string }[];
}

/** Ends at `end` what would live longer; what ends sooner keeps its end. */
function endedBy<T extends { expires_at: string | null }>(
  entry: T,
  endMs: number,
): T & { expires_at: string } {
  const end = entry.expires_at === null ? endMs : Math.min(endMs, Date.parse(entry.expires_at));
  return { ...entry, expires_at: new Date(end).toISOString() };
}

/** Gives a partner a new key; the live ones go on for `overlapMs`, those whose end has come are dropped. */
export function rotateKey(partner: Partner, authKey: string, overlapMs: number, now: Date): Rotated {
  const old = live(partner.keys, now.getTime()).map((key) => endedBy(key, now.getTime() + overlapMs));
  const new_id = `key_${randomId()}`;
  const fresh = {
    key_id: new_id,
    digest: digestOf(authKey),
    created_at: now.toISOString(),
    expires_at: null,
  };
  return {
    partner: { ...partner, keys: [...old, fresh] },
    new_id,
    old: live(old, now.getTime()).map(({ key_id, expires_at }) => ({ id: key_id, expires_at })),
  };
}

/** Gives a partner a new webhook secret; events carry a signature of each live one for `overlapMs`. */
export function rotateSecret(partner: Partner, secret: string, overlapMs: number, now: Date): Rotated {
  const old = live(partner.webhook_secrets, now.getTime()).map((entry) =>
    endedBy(entry, now.getTime() + overlapMs),
  );
  const new_id = `secret_${randomId()}`;
  const fresh = { secret_id: new_id, secret, created_at: now.toISOString(), expires_at: null };
  return {
    partner: { ...partner, webhook_secrets: [...old, fresh] },
    new_id,
    old: live(old, now.getTime()).map(({ secret_id, expires_at }) => ({ id: secret_id, expires_at })),
  };
}

/** Takes a key away at once; null when the partner has no live key of that id. */
export function revokeKey(partner: Partner, keyId: string, now: Date): Partner | null {
  if (!live(partner.keys, now.getTime()).some(({ key_id }) => key_id === keyId)) return null;
  return { ...partner, keys: partner.keys.filter(({ key_id }) => key_id !== keyId) };
}
