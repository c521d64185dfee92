import { databaseFor } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { logLine } from "../log.ts";
import { checkAddress } from "../outbound/address.ts";
import { addressRules } from "../outbound/rules.ts";
import { retryAfterSeconds } from "../outbound/retryAfter.ts";
import { live, newWebhookSecret } from "../partners/partner.ts";
import { readPartner } from "../partners/registry.ts";
import { afterForgery, FORGED } from "./forged.ts";
import type { DeliveryMessage } from "./message.ts";
import { afterAttempt, MAX_DELAY_MS } from "./schedule.pure.ts";
import { signedHeaders } from "./sign.ts";
import {
  claimDelivery,
  recordAttempt,
  type Attempt,
  type ClaimedDelivery,
  type AttemptResult,
} from "./write.ts";

/** Time for a receiver to answer, as the contract states it. */
const DEADLINE_MS = 15_000;
/** The deadline and the time to record the attempt. Then another consumer may claim the delivery. */
const CLAIM_MS = 60_000;
/** Enough of an answer to show the receiver's error message. */
const ANSWER_BYTES = 500;
/** Maximum delay after a partner is active again. At this rate, a thousand waiting events cost about a dollar a day. */
const SUSPENDED_DELAY_MS = 10 * 60_000;

/** The receiver of a delivery, or the reason why it is not sent now. */
type Target =
  | { send: true; url: string; secrets: string[] }
  /** `retried`: counts as a failed attempt. `postponed`: no attempt was due. Otherwise no attempt follows. */
  | { send: false; as: "retried" | "postponed" | "failed" | "recorded"; reason: string };

function unsent(as: "retried" | "postponed" | "failed" | "recorded", reason: string): Target {
  return { send: false, as, reason };
}

async function targetOf(
  env: Env,
  partnerId: string,
  kind: ClaimedDelivery["kind"],
  nowMs: number,
): Promise<Target> {
  if (kind === "training_plan") {
    if (env.TRAINING_PLAN_URL === "") return unsent("recorded", "No planner is configured.");
    const secret = env.TRAINING_PLAN_SECRET ?? "";
    if (secret === "") return unsent("retried", "The planner's signing secret is not configured.");
    return { send: true, url: env.TRAINING_PLAN_URL, secrets: [secret] };
  }
  const partner = await readPartner(env.PARTNERS, partnerId);
  if (partner === null) return unsent("retried", "The partner registry did not know the partner.");
  if (partner.event_url === null) return unsent("failed", "No event_url is configured.");
  if (partner.status === "suspended") return unsent("postponed", "The partner is suspended.");
  const secrets = live(partner.webhook_secrets, nowMs).map((entry) => entry.secret);
  if (secrets.length === 0) return unsent("retried", "No webhook secret is valid.");
  const address = checkAddress(partner.event_url, addressRules(env, []));
  if (!address.ok) return unsent("retried", `The event_url may not be reached. ${address.detail}`);
  return { send: true, url: address.url.href, secrets };
}

/** Returns the first bytes of an answer as text: those that arrive before the signal aborts. */
async function firstBytes(response: Response, signal: AbortSignal): Promise<string> {
  if (response.body === null) return "";
  const reader = response.body.getReader();
  const stop = () => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", stop);
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (let left = ANSWER_BYTES; left > 0;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value.subarray(0, left), { stream: true });
      left -= value.byteLength;
    }
  } catch {
    // The connection broke after the headers. The status decides; keep the bytes that arrived.
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
  return text;
}

interface Answer {
  status: number | null;
  text: string;
  retryAfter: string | null;
}

async function post(
  url: string,
  headers: Record<string, string>,
  body: string,
  deadlineMs: number,
): Promise<Answer> {
  const signal = AbortSignal.timeout(deadlineMs);
  try {
    const response = await fetch(url, {
      method: "POST",
      redirect: "manual",
      headers: { "content-type": "application/json", "user-agent": "endurance-partner-api", ...headers },
      body,
      signal,
    });
    return {
      status: response.status,
      text: await firstBytes(response, signal),
      retryAfter: response.headers.get("retry-after"),
    };
  } catch {
    const text = signal.aborted ? "No answer came in time." : "The host could not be reached.";
    return { status: null, text, retryAfter: null };
  }
}

/**
 * Makes a due attempt of a delivery, records it and schedules the next. Does nothing when the delivery is settled, not
 * due or claimed by another consumer, so messages may be repeated. Throws when one of our stores is down; then the claim
 * expires and the sweep sends the delivery again.
 */
export async function deliverDue(
  env: Env,
  message: DeliveryMessage,
  { now = Date.now, random = Math.random, deadlineMs = DEADLINE_MS } = {},
): Promise<void> {
  const database = databaseFor(env, message.partner_id);
  const startedAt = now();
  const claimed = await claimDelivery(database, message, startedAt, startedAt + CLAIM_MS);
  if (claimed === null) return;

  const target = await targetOf(env, message.partner_id, claimed.kind, startedAt);
  const { attempt, retryAfter } = await makeAttempt(target, message, claimed, startedAt, now, deadlineMs);
  const endedAt = startedAt + attempt.milliseconds;
  const result = resultOf(target, claimed, attempt, {
    failedAttempts: claimed.attempt_count - claimed.attempts_before + 1,
    nowMs: endedAt,
    retryAfterSeconds: retryAfterSeconds(retryAfter, endedAt),
    random: random(),
  });
  const [settled] = await database.batch(recordAttempt(database, message, claimed, result, endedAt));
  const inTime = settled !== undefined && settled.meta.changes > 0;

  const nextInMs = result.next_attempt_at === null ? null : result.next_attempt_at - endedAt;
  logLine({
    unit: "delivery",
    partner_id: message.partner_id,
    delivery_id: message.delivery_id,
    type: claimed.type,
    outcome: inTime ? result.status : "claim_expired",
    attempt: claimed.attempt_count + (result.counted ? 1 : 0),
    host: target.send ? new URL(target.url).host : null,
    status: attempt.status,
    milliseconds: attempt.milliseconds,
    reason: attempt.status === null ? attempt.answer : null,
    next_in_milliseconds: nextInMs,
  });

  if (!inTime) return;
  if (claimed.then_deliver !== null && claimed.attempt_count === 0) {
    await env.DELIVERIES.send({ partner_id: message.partner_id, delivery_id: claimed.then_deliver });
  }
  if (nextInMs !== null) {
    const delaySeconds = Math.ceil(Math.min(nextInMs, MAX_DELAY_MS) / 1000);
    await env.DELIVERIES.send(message, { delaySeconds });
  }
}

/** Sends the request of a delivery, if its target allows one. Returns the attempt as it is recorded. */
async function makeAttempt(
  target: Target,
  { delivery_id }: DeliveryMessage,
  { type, body }: ClaimedDelivery,
  startedAt: number,
  now: () => number,
  deadlineMs: number,
): Promise<{ attempt: Attempt; retryAfter: string | null }> {
  const at = startedAt;
  if (!target.send) {
    const attempt = { at, status: null, milliseconds: Math.max(0, now() - at), answer: target.reason };
    return { attempt, retryAfter: null };
  }
  const secrets = type === FORGED ? [newWebhookSecret()] : target.secrets;
  const headers = signedHeaders({ id: delivery_id, atMs: at, body, secrets });
  const { status, text, retryAfter } = await post(target.url, headers, body, deadlineMs);
  return { attempt: { at, status, milliseconds: Math.max(0, now() - at), answer: text }, retryAfter };
}

function resultOf(
  target: Target,
  { type, last_answer }: ClaimedDelivery,
  attempt: Attempt,
  timing: Parameters<typeof afterAttempt>[1],
): AttemptResult {
  if (target.send || target.as === "retried") {
    const next = type === FORGED ? afterForgery(attempt.status) : afterAttempt(attempt.status, timing);
    return { ...next, attempt, counted: true };
  }
  if (target.as === "postponed") {
    const next_attempt_at = timing.nowMs + SUSPENDED_DELAY_MS;
    // A delivery may be postponed every few minutes for weeks: record the reason once.
    const recorded = last_answer === attempt.answer ? null : attempt;
    return { status: "pending", next_attempt_at, attempt: recorded, counted: false };
  }
  const recorded = target.as === "failed" ? attempt : null;
  return { status: target.as, next_attempt_at: null, attempt: recorded, counted: false };
}
