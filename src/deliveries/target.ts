import { databaseFor } from "../database/databases.ts";
import { DEFAULT_ENDPOINT, NO_ENDPOINT } from "../endpoints/endpoint.ts";
import { endpointOfDelivery, receiverOf, type DeliveryEndpoint } from "../endpoints/read.ts";
import type { StoredEndpoint } from "../endpoints/storedEndpoint.pure.ts";
import type { Env } from "../env.ts";
import { checkAddress } from "../outbound/address.ts";
import { addressRules } from "../outbound/rules.ts";
import { userAgent } from "../outbound/userAgent.ts";
import { readPartner } from "../partners/registry.ts";
import { plannerSecret } from "../planner/secret.ts";
import { isTest } from "./forged.ts";
import { PLAN_PREFIX } from "./ids.ts";
import type { DeliveryMessage } from "./message.ts";

/**
 * How a delivery without a request ends. `retried`: counts as a failed attempt. `postponed`: counts as none. `held`: waits
 * for the end of a hold or for a challenge. `failed`, `recorded`: no attempt follows. `unreceived`: failed because the
 * partner has no receiver; an endpoint of a later time may receive it.
 */
export type UnsentAs = "retried" | "postponed" | "held" | "failed" | "recorded" | "unreceived";

/** The receiver of a delivery, or the reason why it is not sent now. */
export type Target =
  | {
      send: true;
      url: string;
      secrets: string[];
      agent: string;
      /** The endpoint. Null for the planner. */
      endpoint: Pick<StoredEndpoint, "endpoint_id" | "url"> | null;
    }
  | { send: false; as: UnsentAs; reason: string };

export function unsent(as: UnsentAs, reason: string): Target {
  return { send: false, as, reason };
}

export function isPlan({ delivery_id }: DeliveryMessage): boolean {
  return delivery_id.startsWith(PLAN_PREFIX);
}

/** Returns the receiver of a delivery by the current settings. */
export async function targetOf(env: Env, message: DeliveryMessage, nowMs: number): Promise<Target> {
  return isPlan(message) ? planner(env) : receiver(env, message, nowMs);
}

function planner(env: Env): Target {
  if (env.TRAINING_PLAN_URL === "") return unsent("recorded", "No planner is configured.");
  const secret = env.TRAINING_PLAN_SECRET ?? "";
  if (plannerSecret(env) === null)
    return unsent("retried", "The planner's signing secret is not configured.");
  const agent = userAgent(addressRules(env, []));
  return { send: true, url: env.TRAINING_PLAN_URL, secrets: [secret], agent, endpoint: null };
}

async function receiver(env: Env, message: DeliveryMessage, nowMs: number): Promise<Target> {
  const partner = await readPartner(env.PARTNERS, message.partner_id);
  if (partner === null) return unsent("retried", "The partner was not found in the registry.");
  const endpoint = await endpointOfDelivery(databaseFor(env, message), message);
  const obstacle = endpoint === null ? null : obstacleOf(endpoint);
  if (obstacle !== null) return obstacle;
  const stored = endpoint?.stored ?? null;
  const { url, secrets } = receiverOf(partner, stored ?? IMPLIED, nowMs);
  if (url === null) return unsent(stored === null ? "unreceived" : "failed", "No event_url is configured.");
  if (partner.status === "suspended") return unsent("postponed", "The partner is suspended.");
  if (secrets.length === 0) return unsent("retried", "The partner has no valid webhook secret.");
  const rules = addressRules(env, []);
  const address = checkAddress(url, rules);
  if (!address.ok) return unsent("retried", `We do not send requests to this event_url. ${address.detail}`);
  return {
    send: true,
    url: address.url.href,
    secrets: secrets.map(({ secret }) => secret),
    agent: userAgent(rules),
    endpoint: endpoint && { endpoint_id: endpoint.endpoint_id, url: stored?.url ?? null },
  };
}

/** The partner's own `event_url` and secrets. */
const IMPLIED = { url: null, secrets: [] };

/**
 * Returns why an endpoint does not receive an event now, or null. Test events are also sent to an endpoint that is on
 * hold, disabled or unverified. All other events wait for its challenge, so that a partner cannot send them to a stranger.
 */
function obstacleOf({ endpoint_id, type, stored, hasSettings }: DeliveryEndpoint): Target | null {
  if (endpoint_id === NO_ENDPOINT) return unsent("failed", "No endpoint receives events of this type.");
  const isImplied = endpoint_id === DEFAULT_ENDPOINT && !hasSettings;
  if (isImplied) return null;
  if (stored === null || stored.deleted_at !== null) return unsent("failed", "The endpoint was deleted.");
  if (isTest(type)) return null;
  if (stored.disabled_at !== null)
    return unsent("failed", "The endpoint is disabled. Recover it to send the event.");
  if (stored.on_hold_since !== null) return unsent("held", "The endpoint is on hold.");
  return stored.verified_at === null
    ? unsent(
        "held",
        "The endpoint is unverified: its receiver has not returned the challenge of a test event.",
      )
    : null;
}
