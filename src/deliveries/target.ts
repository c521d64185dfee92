import type { Env } from "../env.ts";
import { checkAddress } from "../outbound/address.ts";
import { addressRules } from "../outbound/rules.ts";
import { userAgent } from "../outbound/userAgent.ts";
import { unexpired } from "../partners/partner.ts";
import { readPartner } from "../partners/registry.ts";
import { PLAN_PREFIX } from "./ids.ts";
import type { DeliveryMessage } from "./message.ts";

/** The receiver of a delivery, or the reason why it is not sent now. */
export type Target =
  | { send: true; url: string; secrets: string[]; agent: string }
  /** `retried`: counts as a failed attempt. `postponed`: counts as none. `failed`, `recorded`: no attempt follows. */
  | { send: false; as: "retried" | "postponed" | "failed" | "recorded"; reason: string };

export function unsent(as: "retried" | "postponed" | "failed" | "recorded", reason: string): Target {
  return { send: false, as, reason };
}

export function isPlan({ delivery_id }: DeliveryMessage): boolean {
  return delivery_id.startsWith(PLAN_PREFIX);
}

/** Returns the receiver of a delivery by the current settings. */
export async function targetOf(env: Env, message: DeliveryMessage, nowMs: number): Promise<Target> {
  const rules = addressRules(env, []);
  const agent = userAgent(rules);
  if (isPlan(message)) {
    if (env.TRAINING_PLAN_URL === "") return unsent("recorded", "No planner is configured.");
    const secret = env.TRAINING_PLAN_SECRET ?? "";
    if (secret === "") return unsent("retried", "The planner's signing secret is not configured.");
    return { send: true, url: env.TRAINING_PLAN_URL, secrets: [secret], agent };
  }
  const partner = await readPartner(env.PARTNERS, message.partner_id);
  if (partner === null) return unsent("retried", "The partner was not found in the registry.");
  if (partner.event_url === null) return unsent("failed", "No event_url is configured.");
  if (partner.status === "suspended") return unsent("postponed", "The partner is suspended.");
  const secrets = unexpired(partner.webhook_secrets, nowMs).map((entry) => entry.secret);
  if (secrets.length === 0) return unsent("retried", "The partner has no valid webhook secret.");
  const address = checkAddress(partner.event_url, rules);
  if (!address.ok) return unsent("retried", `We do not send requests to this event_url. ${address.detail}`);
  return { send: true, url: address.url.href, secrets, agent };
}
