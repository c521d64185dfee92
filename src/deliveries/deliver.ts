import { databaseFor } from "../database/databases.ts";
import { hasChanges } from "../database/rows.ts";
import type { Env } from "../env.ts";
import { logLine } from "../log.ts";
import { retryAfterSeconds } from "../outbound/retryAfter.ts";
import { countAttempt } from "../endpoints/attempts/write.ts";
import { newWebhookSecret } from "../partners/partner.ts";
import { withNames } from "../outcomes/body.ts";
import { buildPlanRequest, type BuiltPlanRequest } from "../planner/planRequest.ts";
import { enterHost } from "../windows/client.ts";
import type { Lane } from "../windows/partner.pure.ts";
import type { Results } from "../windows/window.pure.ts";
import { returnsChallenge } from "./challenge.pure.ts";
import { afterForgedAttempt, FORGED, isTest, TEST } from "./forged.ts";
import type { DeliveryMessage } from "./message.ts";
import { post } from "./post.ts";
import { afterAttempt, MAX_DELAY_MS, RESPONSE_DEADLINE_MS } from "./schedule.pure.ts";
import { signedHeaders } from "./sign.ts";
import { isPlan, targetOf, unsent, type Target } from "./target.ts";
import {
  claimDelivery,
  postponeDelivery,
  recordAttempt,
  type Attempt,
  type ClaimedDelivery,
  type AttemptResult,
} from "./write.ts";

/** Lifetime of a claim: the deadline and the time to record the attempt. Then another consumer may claim the delivery. */
const CLAIM_MS = 60_000;
/** Delay after an attempt that was postponed, such as for a suspended partner. A thousand waiting events cost about a dollar a day. */
const POSTPONED_DELAY_MS = 10 * 60_000;

/**
 * Makes a due attempt of a delivery, records it and schedules the next. Postpones it, for at most a day, while the
 * receiver's host accepts no more requests. Does nothing when the delivery is settled, not due or claimed by another
 * consumer, so messages may be repeated. Throws when one of our stores is down; then the claim expires and the sweep
 * sends the delivery again.
 */
export async function deliverDue(
  env: Env,
  message: DeliveryMessage,
  { now = Date.now, random = Math.random, deadlineMs = RESPONSE_DEADLINE_MS } = {},
): Promise<void> {
  const startedAt = now();
  const target = await targetOf(env, message, startedAt);
  const host = target.send ? new URL(target.url).host : null;
  const lease = host === null ? null : await enterHost(env, message.partner_id, laneOf(message), host, 1);
  const results = { answers: 0, timeouts: 0 };
  try {
    const denied = lease === null || "slots" in lease.admission ? null : lease.admission;
    let attempted = target;
    if (denied !== null) {
      const forMs = denied.postponed_for_ms;
      if (!isPlan(message) && (await postpone(env, message, host, forMs, startedAt))) return;
      // The event that waits for a plan request must not wait for the planner.
      attempted = isPlan(message)
        ? unsent("postponed", "The planner did not respond to earlier requests.")
        : unsent("retried", "The receiver did not respond to earlier events for a day.");
    }
    await deliverTo(env, message, attempted, results, { startedAt, now, random, deadlineMs });
  } finally {
    if (lease !== null && "slots" in lease.admission) await lease.leave(results);
  }
}

function laneOf(message: DeliveryMessage): Lane {
  return isPlan(message) ? "PLANS" : "EVENTS";
}

/** Postpones a delivery without an attempt. Returns false when it is not due, or was postponed for a day already. */
async function postpone(
  env: Env,
  message: DeliveryMessage,
  host: string | null,
  forMs: number,
  startedAt: number,
): Promise<boolean> {
  const database = databaseFor(env, message);
  if (!(await postponeDelivery(database, message, startedAt, startedAt + forMs))) return false;
  logLine({
    unit: "delivery",
    partner_id: message.partner_id,
    delivery_id: message.delivery_id,
    type: null,
    outcome: "postponed",
    attempt: null,
    host,
    status: null,
    milliseconds: 0,
    reason: "The receiver did not respond to earlier events.",
    next_in_milliseconds: forMs,
  });
  await env.DELIVERIES.send(message, { delaySeconds: Math.ceil(forMs / 1000) });
  return true;
}

async function deliverTo(
  env: Env,
  message: DeliveryMessage,
  receiver: Target,
  results: Results,
  {
    startedAt,
    now,
    random,
    deadlineMs,
  }: { startedAt: number; now: () => number; random: () => number; deadlineMs: number },
): Promise<void> {
  const database = databaseFor(env, message);
  const stored = await claimDelivery(database, message, startedAt, startedAt + CLAIM_MS);
  if (stored === null) return;
  const { target, claimed } = await prepared(env, message, receiver, stored, startedAt);
  const { attempt, timedOut, retryAfter } = await makeAttempt(
    target,
    message,
    claimed,
    startedAt,
    now,
    deadlineMs,
  );
  if (timedOut) results.timeouts = 1;
  else results.answers = 1;
  const endedAt = startedAt + attempt.milliseconds;
  const result = resultOf(target, claimed, attempt, {
    failedAttempts: claimed.attempt_count - claimed.attempts_before + 1,
    nowMs: endedAt,
    retryAfterSeconds: retryAfterSeconds(retryAfter, endedAt),
    random: random(),
  });
  const [settled, released] = await database.batch<{ delivery_id: string }>([
    ...recordAttempt(database, message, claimed, result, endedAt),
    ...(target.send && target.endpoint !== null
      ? countAttempt(
          database,
          { partner_id: message.partner_id, ...target.endpoint, ...outcomeOf(claimed, attempt) },
          endedAt,
        )
      : []),
  ]);
  const inTime = hasChanges(settled);

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
    for (const { delivery_id } of released?.results ?? []) {
      await env.DELIVERIES.send({ ...message, delivery_id });
    }
  }
  if (nextInMs !== null) {
    const delaySeconds = Math.ceil(Math.min(nextInMs, MAX_DELAY_MS) / 1000);
    await env.DELIVERIES.send(message, { delaySeconds });
  }
}

/** Returns a claimed delivery with the body that is sent now, or the reason why it is not sent. */
async function prepared(
  env: Env,
  message: DeliveryMessage,
  target: Target,
  stored: ClaimedDelivery,
  nowMs: number,
): Promise<{ target: Target; claimed: ClaimedDelivery }> {
  const database = databaseFor(env, message);
  if (!target.send) return { target, claimed: stored };
  if (!isPlan(message)) {
    const [named = stored] = await withNames(database, message.partner_id, [stored]);
    return { target, claimed: named };
  }
  const built = await buildPlanRequest(env, database, stored.body, nowMs);
  if (built.ok) return { target, claimed: { ...stored, body: built.body } };
  return { target: unbuilt(built.reason), claimed: stored };
}

function unbuilt(reason: Extract<BuiltPlanRequest, { ok: false }>["reason"]): Target {
  switch (reason) {
    case "erased":
      return unsent("failed", "The user was erased.");
    case "no_partner":
      return unsent("retried", "The partner was not found in the registry.");
    case "no_access":
      return unsent("retried", "The service does not know its own address.");
    case "too_many_rows":
      return unsent("postponed", "The partner's plan requests have read too many rows in the last minute.");
  }
}

/** Sends the request of a delivery, if its target allows one. Returns the attempt as it is recorded. */
async function makeAttempt(
  target: Target,
  message: DeliveryMessage,
  { type, body }: ClaimedDelivery,
  startedAt: number,
  now: () => number,
  deadlineMs: number,
): Promise<{ attempt: Attempt; timedOut: boolean; retryAfter: string | null }> {
  const at = startedAt;
  if (!target.send) {
    const attempt = { at, status: null, milliseconds: Math.max(0, now() - at), answer: target.reason };
    return { attempt, timedOut: false, retryAfter: null };
  }
  const secrets = type === FORGED ? [newWebhookSecret()] : target.secrets;
  const headers = signedHeaders({ id: message.delivery_id, atMs: at, body, secrets });
  const { status, text, timedOut, retryAfter } = await post(target, headers, body, deadlineMs);
  // The planner's response may repeat the token and the training of its request, which are never stored.
  const answer = status !== null && isPlan(message) ? null : text;
  const attempt = { at, status, milliseconds: Math.max(0, now() - at), answer };
  return { attempt, timedOut, retryAfter };
}

/** Returns what an attempt shows about its endpoint. */
function outcomeOf({ type, body }: ClaimedDelivery, { status, answer }: Attempt) {
  const delivered = status !== null && status >= 200 && status < 300;
  return {
    isTest: isTest(type),
    delivered,
    verified: delivered && type === TEST && returnsChallenge(body, answer),
  };
}

function resultOf(
  target: Target,
  { type, last_answer }: ClaimedDelivery,
  attempt: Attempt,
  timing: Parameters<typeof afterAttempt>[1],
): AttemptResult {
  if (target.send || target.as === "retried") {
    const next = type === FORGED ? afterForgedAttempt(attempt.status) : afterAttempt(attempt.status, timing);
    return { ...next, attempt, counted: true };
  }
  if (target.as === "postponed") {
    const next_attempt_at = timing.nowMs + POSTPONED_DELAY_MS;
    // A delivery may be postponed every few minutes for weeks: record the reason once.
    const recorded = last_answer === attempt.answer ? null : attempt;
    return { status: "pending", next_attempt_at, attempt: recorded, counted: false };
  }
  const unreceived = target.as === "unreceived";
  const status = target.as === "unreceived" ? "failed" : target.as;
  const recorded = status === "failed" ? attempt : null;
  return { status, next_attempt_at: null, attempt: recorded, counted: false, unreceived };
}
