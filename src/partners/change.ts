import { MINUTE_MS, SETTINGS_SPREAD_FOR_MS } from "../contract/limits.ts";
import { wait } from "../concurrency/wait.ts";
import type { Partner } from "./partner.ts";
import {
  adoptSettings,
  claimPublication,
  CLAIM_MS,
  isPublished,
  parsePartner,
  readStored,
  recordPublication,
  storeSettings,
  type Run,
} from "./write.ts";

/**
 * Changes of partners. The partner's row in D1 decides their order: a change replaces the row only if nothing has changed
 * it since it was read. Then the newest settings are published to KV, which all requests read.
 */
export interface PartnerStores {
  /** Runs a statement on the partner's database. */
  run: Run;
  /** Returns the partner as published to KV. The value may be a minute old. */
  readPublished(partnerId: string): Promise<Partner | null>;
  /** Writes the partner to KV. */
  publish(partnerId: string, settings: string): Promise<void>;
}

/** Maximum number of attempts to store a change. An attempt fails when another change came first. */
const MAX_TRIES = 10;
/** Maximum pause between these attempts. */
const MAX_PAUSE_MS = 100;
/** Maximum number of revisions that one publisher writes. The clock publishes later ones. */
const MAX_PUBLICATIONS = 3;

/** Maximum time until the clock publishes a change that a request could not publish: the claim expires, then the clock runs. */
const PUBLISHED_WITHIN_MS = CLAIM_MS + MINUTE_MS;

/** Returns the changed partner, or why it must not be changed. */
export type Edit<Refused> = (newest: Partner) => { ok: true; partner: Partner } | Refused;

export interface Changed {
  ok: true;
  /** The partner after the change. */
  partner: Partner;
  /** Time from which every request uses the change, in Unix milliseconds. */
  inForceAt: number;
}

export const CHANGED_MEANWHILE = { ok: false, code: "changed_meanwhile" } as const;

/** Returns a partner's stored settings, or the published ones if these are newer. */
export function newerOf(published: Partner, stored: string | null): Partner {
  const row = stored === null ? null : parsePartner(stored);
  return row !== null && row.revision >= published.revision ? row : published;
}

/**
 * Changes a partner. Calls `edit` with its newest settings, again if another change came first. Returns the edit's refusal,
 * or `CHANGED_MEANWHILE` if other changes always came first. `published` are settings that the caller has read from KV.
 */
export async function changePartner<Refused extends { ok: false }>(
  stores: PartnerStores,
  published: Partner,
  edit: Edit<Refused>,
): Promise<Changed | Refused | typeof CHANGED_MEANWHILE> {
  const { partner_id } = published;
  let attempted: { partner: Partner; settings: string } | null = null;
  for (let tries = 1; ; tries += 1) {
    const stored = await readStored(stores.run, partner_id);
    // A repeated call of Cloudflare's API does not see that the first one has stored the settings.
    if (attempted !== null && stored === attempted.settings) break;
    if (tries > MAX_TRIES) return CHANGED_MEANWHILE;
    if (tries > 1) await wait(Math.random() * MAX_PAUSE_MS);
    const newest = newerOf(published, stored);
    const edited = edit(newest);
    if (!edited.ok) return edited;
    const partner: Partner = { ...edited.partner, revision: newest.revision + 1 };
    attempted = { partner, settings: JSON.stringify(partner) };
    const base = stored === null ? null : parsePartner(stored).revision;
    if (await storeSettings(stores.run, partner, attempted.settings, base)) break;
  }
  return { ok: true, partner: attempted.partner, inForceAt: await publishChange(stores, partner_id) };
}

/** Publishes a stored change. Returns the time from which it is in force. */
async function publishChange(stores: PartnerStores, partnerId: string): Promise<number> {
  // The change is stored. If a store fails now, the clock publishes it.
  const done = await publishNewest(stores, partnerId).catch(() => false);
  return Date.now() + SETTINGS_SPREAD_FOR_MS + (done ? 0 : PUBLISHED_WITHIN_MS);
}

/**
 * Publishes a partner's newest settings to KV. One publisher at a time writes, so that an older write cannot end after a newer
 * one. After each write it looks for a newer revision. Returns whether the newest settings are published.
 */
export async function publishNewest(stores: PartnerStores, partnerId: string): Promise<boolean> {
  for (let count = 0; count < MAX_PUBLICATIONS; count += 1) {
    const claimed = await claimPublication(stores.run, partnerId);
    if (claimed === null) return isPublished(stores.run, partnerId);
    const published = await stores.readPublished(partnerId);
    if (published !== null && published.revision > claimed.revision) {
      await adoptSettings(stores.run, published);
      return true;
    }
    await stores.publish(partnerId, claimed.settings);
    if (await recordPublication(stores.run, partnerId, claimed)) return true;
  }
  return false;
}
