import { ENDPOINT_DAYS, ENDPOINT_FAILS_FOR_MS } from "../contract/limits.ts";
import { inWords } from "../contract/amounts.ts";
import { withTimeout } from "../concurrency/withTimeout.ts";
import { dateOf, dayOf } from "../contract/days.ts";
import { databaseFor } from "../database/databases.ts";
import { count, fieldsOf, text } from "../database/parse.ts";
import { instantOf } from "../database/rows.ts";
import type { Env } from "../env.ts";
import { publicSecrets, unexpired, type Partner } from "../partners/partner.ts";
import { receiverWarningOf, type ReceiverWarning } from "../imports/warnings.pure.ts";
import { DEFAULT_ENDPOINT, IMPORT_COMPLETED, type Endpoint } from "./endpoint.ts";
import { ENDPOINT_COLUMNS, parseEndpoint, type StoredEndpoint } from "./storedEndpoint.pure.ts";

/** The endpoint of a partner without endpoint settings: its `event_url`. */
function impliedEndpoint(partner: Pick<Partner, "created_at">): StoredEndpoint {
  return {
    endpoint_id: DEFAULT_ENDPOINT,
    url: null,
    event_types: [IMPORT_COMPLETED],
    include_history: false,
    on_hold_since: null,
    secrets: [],
    verified_at: Date.parse(partner.created_at),
    failing_since: null,
    disabled_at: null,
    recover_since: null,
    created_at: Date.parse(partner.created_at),
    deleted_at: null,
  };
}

/** Returns all rows of the partner's endpoints, oldest first, deleted ones included. */
async function readRows(db: D1Database, partnerId: string): Promise<StoredEndpoint[]> {
  const found = await db
    .prepare(
      `SELECT ${ENDPOINT_COLUMNS} FROM endpoints WHERE partner_id = ? ORDER BY created_at, endpoint_id`,
    )
    .bind(partnerId)
    .all();
  return found.results.map(parseEndpoint);
}

/** Returns the partner's endpoints, oldest first. */
export async function storedEndpoints(env: Env, partner: Partner): Promise<StoredEndpoint[]> {
  const rows = await readRows(databaseFor(env, partner), partner.partner_id);
  if (rows.length === 0) return partner.event_url === null ? [] : [impliedEndpoint(partner)];
  return rows.filter(({ deleted_at }) => deleted_at === null);
}

/** Returns one of the partner's endpoints, or null. */
export async function storedEndpoint(
  env: Env,
  partner: Partner,
  endpointId: string,
): Promise<StoredEndpoint | null> {
  const all = await storedEndpoints(env, partner);
  return all.find(({ endpoint_id }) => endpoint_id === endpointId) ?? null;
}

/**
 * Returns the ids of the endpoints to which a resent event is sent: its own if that exists, or those that want its type now
 * if it has none.
 */
export async function receiversOfEvent(
  env: Env,
  partner: Partner,
  { type, endpoint_id: own }: { type: string; endpoint_id: string | null },
): Promise<string[]> {
  const endpoints = await storedEndpoints(env, partner);
  return endpoints
    .filter(({ endpoint_id, event_types }) =>
      own === null ? event_types.some((wanted) => wanted === type) : endpoint_id === own,
    )
    .map(({ endpoint_id }) => endpoint_id);
}

/** Maximum time of the question whether an endpoint receives imports. A task does not wait longer for a warning. */
const QUESTION_MS = 1_000;

/**
 * Returns the warning about the receiver of events of completed imports, or null. Asks D1 only without an `event_url`. Null
 * when D1 does not respond.
 */
export async function receiverWarning(env: Env, partner: Partner): Promise<ReceiverWarning | null> {
  if (partner.event_url !== null) return null;
  try {
    const stored = await withTimeout(QUESTION_MS, storedEndpoints(env, partner));
    const receivers = stored.filter(({ event_types }) => event_types.includes(IMPORT_COMPLETED));
    const hasVerified = receivers.some(({ verified_at }) => verified_at !== null);
    return receiverWarningOf(null, receivers.length === 0 ? null : hasVerified);
  } catch {
    return null;
  }
}

/** The endpoint of a delivery. */
export interface DeliveryEndpoint {
  endpoint_id: string;
  /** Type of the event. */
  type: string;
  /** Null when the endpoint has no row: it is the implied one, or was deleted. */
  stored: StoredEndpoint | null;
  /** Whether the partner has endpoint settings. */
  hasSettings: boolean;
}

/** Returns the endpoint of a delivery, or null for an unknown delivery. */
export async function endpointOfDelivery(
  db: D1Database,
  { partner_id, delivery_id }: { partner_id: string; delivery_id: string },
): Promise<DeliveryEndpoint | null> {
  const row = await db
    .prepare(
      `SELECT d.endpoint_id AS of_delivery, d.type, EXISTS (SELECT 1 FROM endpoints WHERE partner_id = ?1) AS has_settings, e.*
       FROM deliveries d LEFT JOIN endpoints e ON e.partner_id = ?1 AND e.endpoint_id = d.endpoint_id
       WHERE d.partner_id = ?1 AND d.delivery_id = ?2`,
    )
    .bind(partner_id, delivery_id)
    .first();
  if (row === null) return null;
  const fields = fieldsOf(row);
  return {
    endpoint_id: text(fields["of_delivery"]),
    type: text(fields["type"]),
    stored: typeof fields["endpoint_id"] === "string" ? parseEndpoint(row) : null,
    hasSettings: fields["has_settings"] === 1,
  };
}

/** Returns the endpoints as the partner reads them, with their attempts of the last days. */
export async function endpointsOf(
  env: Env,
  partner: Partner,
  endpoints: readonly StoredEndpoint[],
  nowMs: number,
): Promise<Endpoint[]> {
  const found = await databaseFor(env, partner)
    .prepare(
      `SELECT endpoint_id, day, delivered, failed FROM endpoint_days
       WHERE partner_id = ? AND day > ? ORDER BY endpoint_id, day`,
    )
    .bind(partner.partner_id, dayOf(nowMs) - ENDPOINT_DAYS)
    .all();
  const days = found.results.map((row) => {
    const { endpoint_id, day, delivered, failed } = fieldsOf(row);
    return {
      endpoint_id: text(endpoint_id),
      day: dateOf(count(day)),
      delivered: count(delivered),
      failed: count(failed),
    };
  });
  return endpoints.map((stored) => ({
    ...viewOf(partner, stored, nowMs),
    days: days
      .filter(({ endpoint_id }) => endpoint_id === stored.endpoint_id)
      .map(({ day, delivered, failed }) => ({ day, delivered, failed })),
  }));
}

/** Returns the URL and the unexpired secrets of an endpoint. */
export function receiverOf(
  partner: Pick<Partner, "event_url" | "webhook_secrets">,
  { url, secrets }: Pick<StoredEndpoint, "url" | "secrets">,
  nowMs: number,
) {
  return {
    url: url ?? partner.event_url,
    secrets: unexpired(secrets.length === 0 ? partner.webhook_secrets : secrets, nowMs),
  };
}

function stateOf(stored: StoredEndpoint): Pick<Endpoint, "state" | "reason"> {
  if (stored.disabled_at !== null) {
    return {
      state: "disabled",
      reason: `All attempts failed for ${inWords(ENDPOINT_FAILS_FOR_MS)}. Repair the receiver, then recover the endpoint.`,
    };
  }
  if (stored.verified_at === null) {
    return {
      state: "unverified",
      reason: "The receiver has not returned the challenge of a test event yet.",
    };
  }
  return stored.failing_since === null
    ? { state: "active", reason: null }
    : { state: "failing", reason: "No attempt succeeded since `failing_since`." };
}

function viewOf(partner: Partner, stored: StoredEndpoint, nowMs: number): Omit<Endpoint, "days"> {
  const { url, secrets } = receiverOf(partner, stored, nowMs);
  const instantOrNull = (ms: number | null) => (ms === null ? null : instantOf(ms));
  return {
    endpoint_id: stored.endpoint_id,
    url: url ?? "",
    event_types: stored.event_types,
    include_history: stored.include_history,
    on_hold: stored.on_hold_since !== null,
    ...stateOf(stored),
    webhook_secrets: publicSecrets(secrets),
    created_at: instantOf(stored.created_at),
    verified_at: instantOrNull(stored.verified_at),
    failing_since: instantOrNull(stored.failing_since),
    disabled_at: instantOrNull(stored.disabled_at),
  };
}
