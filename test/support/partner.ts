import { env } from "cloudflare:workers";
import { randomId } from "../../src/identifiers.ts";
import {
  digestOf,
  newAuthKey,
  newWebhookSecret,
  partnerKey,
  type Partner,
} from "../../src/partners/partner.ts";
import { byTurns, ownerOf } from "./databases.ts";

export interface TestPartner {
  partner: Partner;
  partnerId: string;
  authKey: string;
  /** Headers that authenticate the partner. */
  headers: Record<string, string>;
}

/** Registers a new partner with one valid key. */
export async function newPartner(settings: Partial<Partner> = {}): Promise<TestPartner> {
  const authKey = newAuthKey();
  const partnerId = settings.partner_id ?? byTurns(() => `p-${randomId()}`);
  const created_at = new Date().toISOString();
  const partner: Partner = {
    partner_id: partnerId,
    name: null,
    status: "active",
    created_at,
    database: ownerOf(partnerId).database,
    revision: 0,
    self_service_locked: false,
    keys: [
      {
        key_id: randomId(),
        digest: digestOf(authKey),
        created_at,
        expires_at: null,
        label: null,
        scope: "full",
      },
    ],
    event_url: null,
    webhook_secrets: [{ secret_id: randomId(), secret: newWebhookSecret(), created_at, expires_at: null }],
    callback_hosts: [],
    source_order: [],
    prefetch_held: false,
    limits: { requests_per_minute: null, files_per_minute: null },
    quotas: { files: null, stored_bytes: null },
    ...settings,
  };
  await env.PARTNERS.put(partnerKey(partnerId), JSON.stringify(partner));
  return {
    partner,
    partnerId,
    authKey,
    headers: { Authorization: `Bearer ${authKey}`, "Partner-Id": partnerId },
  };
}
