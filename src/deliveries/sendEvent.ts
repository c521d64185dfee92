import { databaseFor } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { randomId } from "../identifiers.ts";
import { faultName, logLine } from "../log.ts";
import type { TestEvent } from "./bodies.pure.ts";
import { FORGED } from "./forged.ts";
import { EVENT_PREFIX } from "./ids.ts";
import { insertDelivery, restartDelivery } from "./write.ts";

/**
 * Sends an event again, by a fresh schedule and under its own id; one that waits for a later attempt leaves now.
 * False when it is being delivered, or is about to be.
 */
export async function resendEvent(
  env: Env,
  partnerId: string,
  eventId: string,
  nowMs: number,
): Promise<boolean> {
  const delivery = { partner_id: partnerId, delivery_id: eventId };
  if (!(await restartDelivery(databaseFor(env, partnerId), delivery, nowMs))) return false;
  await announce(env, delivery);
  return true;
}

/** How to try out a receiver: with something to repeat, or with a signature that it must refuse. */
export interface Trial {
  challenge?: string | undefined;
  signature?: "wrong" | undefined;
}

/** Sends an event that means nothing, by which a partner tries out its receiver. Answers its id. */
export async function sendTestEvent(
  env: Env,
  partnerId: string,
  { challenge, signature }: Trial,
  nowMs: number,
): Promise<string> {
  const delivery = { partner_id: partnerId, delivery_id: EVENT_PREFIX + randomId() };
  const body: TestEvent = {
    type: "test.ping",
    timestamp: new Date(nowMs).toISOString(),
    data: challenge === undefined ? {} : { challenge },
  };
  await insertDelivery(databaseFor(env, partnerId), {
    ...delivery,
    kind: "event",
    type: signature === "wrong" ? FORGED : body.type,
    user_id: null,
    import_id: null,
    body: JSON.stringify(body),
    status: "pending",
    then_deliver: null,
    next_attempt_at: nowMs,
  }).run();
  await announce(env, delivery);
  return delivery.delivery_id;
}

/** What the queue does not take, the sweep finds due. */
async function announce(env: Env, delivery: { partner_id: string; delivery_id: string }): Promise<void> {
  try {
    await env.DELIVERIES.send(delivery);
  } catch (fault) {
    logLine({ unit: "setback", outcome: "sent_later", ...delivery, fault: faultName(fault) });
  }
}
