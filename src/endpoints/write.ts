import { MAX_ENDPOINTS, MAX_WEBHOOK_SECRETS } from "../contract/limits.ts";
import { databaseFor } from "../database/databases.ts";
import { hasChanges } from "../database/rows.ts";
import { DATABASE_NOW } from "../database/sql.ts";
import type { Env } from "../env.ts";
import { randomId } from "../identifiers.ts";
import { newWebhookSecret, unexpired, type Partner } from "../partners/partner.ts";
import { withNewSecret } from "../partners/rotate.ts";
import { DEFAULT_ENDPOINT, ENDPOINT_PREFIX, IMPORT_COMPLETED, type EventType } from "./endpoint.ts";
import { receiverOf } from "./read.ts";
import { includesOutcomes } from "./subscribers.ts";
import type { StoredEndpoint } from "./storedEndpoint.pure.ts";

/** Settings that a partner chooses. */
export interface EndpointSettings {
  url: string;
  event_types: readonly EventType[];
  include_history: boolean;
  on_hold: boolean;
}

/** The settings to change. Absent ones stay. */
export type EndpointChanges = { [Name in keyof EndpointSettings]?: EndpointSettings[Name] | undefined };

/**
 * Returns the statement that gives the partner's `event_url` a row of its own, before that row is changed or the first other row is written.
 * Changes nothing when the partner has rows or no `event_url`, or when another endpoint is to be changed.
 */
function keepDefault(
  db: D1Database,
  partner: Partner,
  changedId: string = DEFAULT_ENDPOINT,
): D1PreparedStatement {
  const createdAt = Date.parse(partner.created_at);
  return db
    .prepare(
      `INSERT INTO endpoints (partner_id, endpoint_id, event_types, verified_at, created_at)
       SELECT ?1, '${DEFAULT_ENDPOINT}', ?2, ?3, ?3
       WHERE ?4 AND NOT EXISTS (SELECT 1 FROM endpoints WHERE partner_id = ?1)`,
    )
    .bind(
      partner.partner_id,
      JSON.stringify([IMPORT_COMPLETED]),
      createdAt,
      partner.event_url === null || changedId !== DEFAULT_ENDPOINT ? 0 : 1,
    );
}

/** Stores a new endpoint, which is unverified. Returns its id and its secret, or null if the partner has `MAX_ENDPOINTS`. */
export async function createEndpoint(
  env: Env,
  partner: Partner,
  settings: EndpointSettings,
  nowMs: number,
): Promise<{ endpoint_id: string; webhook_secret: string } | null> {
  const db = databaseFor(env, partner);
  const endpoint_id = ENDPOINT_PREFIX + randomId();
  const webhook_secret = newWebhookSecret();
  const [, created] = await db.batch([
    keepDefault(db, partner),
    db
      .prepare(
        `INSERT INTO endpoints (partner_id, endpoint_id, url, event_types, include_history, on_hold_since, secrets, created_at)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
         WHERE (SELECT count(*) FROM endpoints WHERE partner_id = ?1 AND deleted_at IS NULL) < ${MAX_ENDPOINTS}`,
      )
      .bind(
        partner.partner_id,
        endpoint_id,
        settings.url,
        JSON.stringify(settings.event_types),
        settings.include_history ? 1 : 0,
        settings.on_hold ? nowMs : null,
        JSON.stringify(withNewSecret([], webhook_secret, 0, new Date(nowMs)).secrets),
        nowMs,
      ),
  ]);
  return hasChanges(created) ? { endpoint_id, webhook_secret } : null;
}

/** SQL for the creation time of the endpoint's oldest event that is held. It may be older than the hold. */
export const OLDEST_HELD = `(SELECT min(d.created_at) FROM deliveries d INDEXED BY deliveries_held_of_endpoint
  WHERE d.partner_id = ?1 AND d.endpoint_id = ?2 AND d.status = 'held')`;

/**
 * Changes the settings that are given. A new URL makes the endpoint unverified and ends its failures. The end of a hold
 * makes the events due that waited. An endpoint that begins to receive outcomes receives those from now on. Returns false if
 * the endpoint does not exist.
 */
export async function changeEndpoint(
  env: Env,
  partner: Partner,
  endpointId: string,
  { url, event_types, include_history, on_hold }: EndpointChanges,
  nowMs: number,
): Promise<boolean> {
  const db = databaseFor(env, partner);
  const [, changed] = await db.batch([
    keepDefault(db, partner, endpointId),
    db
      .prepare(
        `UPDATE endpoints SET
           verified_at = CASE WHEN ?3 IS NULL OR ?3 IS url THEN verified_at END,
           failing_since = CASE WHEN ?3 IS NULL OR ?3 IS url THEN failing_since END,
           disabled_at = CASE WHEN ?3 IS NULL OR ?3 IS url THEN disabled_at END,
           outcomes_time = CASE WHEN (?3 IS NULL OR ?3 IS url) AND verified_at IS NOT NULL
             AND ${includesOutcomes("coalesce(?4, event_types)")} THEN coalesce(outcomes_time, ${DATABASE_NOW}) END,
           outcomes_place = CASE WHEN outcomes_time IS NULL THEN '' ELSE outcomes_place END,
           url = coalesce(?3, url), event_types = coalesce(?4, event_types),
           include_history = coalesce(?5, include_history),
           recover_since = CASE WHEN ?6 = 0 AND on_hold_since IS NOT NULL
             THEN min(coalesce(recover_since, on_hold_since), on_hold_since, coalesce(${OLDEST_HELD}, on_hold_since))
             ELSE recover_since END,
           on_hold_since = CASE WHEN ?6 IS NULL THEN on_hold_since WHEN ?6 = 1 THEN coalesce(on_hold_since, ?7) END
         WHERE partner_id = ?1 AND endpoint_id = ?2 AND deleted_at IS NULL`,
      )
      .bind(
        partner.partner_id,
        endpointId,
        url ?? null,
        event_types === undefined ? null : JSON.stringify(event_types),
        include_history === undefined ? null : Number(include_history),
        on_hold === undefined ? null : Number(on_hold),
        nowMs,
      ),
  ]);
  return hasChanges(changed);
}

/** Deletes an endpoint. Its events that are not delivered fail. Returns false if it does not exist. */
export async function deleteEndpoint(
  env: Env,
  partner: Partner,
  endpointId: string,
  nowMs: number,
): Promise<boolean> {
  const db = databaseFor(env, partner);
  const [, deleted] = await db.batch([
    keepDefault(db, partner, endpointId),
    db
      .prepare(
        `UPDATE endpoints SET deleted_at = ?3, url = NULL, secrets = '[]', on_hold_since = NULL, recover_since = NULL,
           outcomes_time = NULL
         WHERE partner_id = ?1 AND endpoint_id = ?2 AND deleted_at IS NULL`,
      )
      .bind(partner.partner_id, endpointId, nowMs),
    // One deleted row is enough to show that the partner has settings.
    db
      .prepare(
        `DELETE FROM endpoints WHERE partner_id = ?1 AND deleted_at IS NOT NULL AND endpoint_id <> ?2
           AND EXISTS (SELECT 1 FROM endpoints WHERE partner_id = ?1 AND endpoint_id = ?2 AND deleted_at IS NOT NULL)`,
      )
      .bind(partner.partner_id, endpointId),
    db
      .prepare(
        `DELETE FROM endpoint_days WHERE partner_id = ?1 AND endpoint_id NOT IN (
           SELECT endpoint_id FROM endpoints WHERE partner_id = ?1 AND deleted_at IS NULL)`,
      )
      .bind(partner.partner_id),
  ]);
  return hasChanges(deleted);
}

/**
 * Adds a secret to an endpoint. The older ones expire within `overlapMs`. Returns the new secret, or why there is none:
 * more than `MAX_WEBHOOK_SECRETS` would be valid, or another request rotated at the same time.
 */
export async function rotateEndpointSecret(
  env: Env,
  partner: Partner,
  endpoint: StoredEndpoint,
  overlapMs: number,
  nowMs: number,
): Promise<{ secret_id: string; webhook_secret: string } | "too_many_secrets" | "changed_meanwhile"> {
  const db = databaseFor(env, partner);
  const webhook_secret = newWebhookSecret();
  const current = receiverOf(partner, endpoint, nowMs).secrets;
  const rotated = withNewSecret(current, webhook_secret, overlapMs, new Date(nowMs));
  if (unexpired(rotated.secrets, nowMs).length > MAX_WEBHOOK_SECRETS) return "too_many_secrets";
  const [, stored] = await db.batch([
    keepDefault(db, partner, endpoint.endpoint_id),
    db
      .prepare(
        `UPDATE endpoints SET secrets = ?3
         WHERE partner_id = ?1 AND endpoint_id = ?2 AND deleted_at IS NULL AND secrets = ?4`,
      )
      .bind(
        partner.partner_id,
        endpoint.endpoint_id,
        JSON.stringify(unexpired(rotated.secrets, nowMs)),
        JSON.stringify(endpoint.secrets),
      ),
  ]);
  return hasChanges(stored) ? { secret_id: rotated.secret_id, webhook_secret } : "changed_meanwhile";
}

/** Requests that events since the time that failed or were held are sent again, and enables the endpoint. */
export async function requestRecovery(
  env: Env,
  partner: Partner,
  endpointId: string,
  sinceMs: number,
): Promise<boolean> {
  const db = databaseFor(env, partner);
  const [, changed] = await db.batch([
    keepDefault(db, partner, endpointId),
    db
      .prepare(
        `UPDATE endpoints SET recover_since = min(coalesce(recover_since, ?3), ?3), disabled_at = NULL, failing_since = NULL
         WHERE partner_id = ?1 AND endpoint_id = ?2 AND deleted_at IS NULL`,
      )
      .bind(partner.partner_id, endpointId, sinceMs),
  ]);
  return hasChanges(changed);
}
