import { FIRST_DATABASE } from "../database/databases.ts";
import { randomId } from "../identifiers.ts";
import { newKey } from "../partners/rotate.ts";
import { newAuthKey, newWebhookSecret, type Partner } from "../partners/partner.ts";

/** A new partner's credentials, shown once. */
export interface Credentials {
  partner_id: string;
  auth_key: string;
  webhook_secret: string;
}

/** Settings that the creator of a partner chooses. */
export type NewPartnerSettings = Pick<
  Partner,
  | "partner_id"
  | "name"
  | "database"
  | "event_url"
  | "callback_hosts"
  | "source_order"
  | "prefetch_held"
  | "limits"
  | "quotas"
>;

/** Settings of a partner without an event URL, with all hosts and the usual limits and quotas, in the first database. */
export const USUAL_SETTINGS = {
  database: FIRST_DATABASE,
  event_url: null,
  callback_hosts: [],
  source_order: [],
  prefetch_held: false,
  limits: { requests_per_minute: null, files_per_minute: null },
  quotas: { files: null, stored_bytes: null },
} satisfies Partial<NewPartnerSettings>;

/** Creates a partner with its first key and webhook secret. */
export function newPartner(
  settings: NewPartnerSettings,
  now: Date,
): { partner: Partner; credentials: Credentials } {
  const credentials: Credentials = {
    partner_id: settings.partner_id,
    auth_key: newAuthKey(),
    webhook_secret: newWebhookSecret(),
  };
  return { credentials, partner: partnerWith(credentials, settings, now) };
}

/** Returns the record of a partner with these credentials. */
export function partnerWith(
  credentials: Credentials,
  settings: Omit<NewPartnerSettings, "partner_id">,
  now: Date,
): Partner {
  const { partner_id, auth_key, webhook_secret } = credentials;
  const validity = { created_at: now.toISOString(), expires_at: null };
  return {
    partner_id,
    name: settings.name,
    status: "active",
    created_at: now.toISOString(),
    database: settings.database,
    revision: 0,
    self_service_locked: false,
    keys: [newKey(auth_key, {}, now)],
    event_url: settings.event_url,
    webhook_secrets: [{ secret_id: `secret_${randomId()}`, secret: webhook_secret, ...validity }],
    callback_hosts: settings.callback_hosts,
    source_order: settings.source_order,
    prefetch_held: settings.prefetch_held,
    limits: settings.limits,
    quotas: settings.quotas,
  };
}
