import { DAY_MS, TEST_EVENTS_A_DAY } from "../contract/limits.ts";
import { databaseFor, type Owner } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { randomId } from "../identifiers.ts";
import { faultName, logLine } from "../log.ts";
import type { TestEvent } from "./bodies.pure.ts";
import { FORGED } from "./forged.ts";
import { EVENT_PREFIX } from "./ids.ts";
import type { DeliveryMessage } from "./message.ts";
import { countTestEvents, insertDelivery, restartDelivery } from "./write.ts";

/**
 * Restarts the schedule of an event under its own id; the first attempt is due now. An event without an endpoint is sent to
 * these receivers. Returns false when the event is being delivered, or is due already.
 */
export async function resendEvent(
  env: Env,
  { partner_id, database }: Owner,
  eventId: string,
  receivers: readonly string[],
  nowMs: number,
): Promise<boolean> {
  const db = databaseFor(env, { partner_id, database });
  const due = await restartDelivery(db, { partner_id, delivery_id: eventId }, receivers, nowMs);
  for (const delivery_id of due) await enqueue(env, { partner_id, database, delivery_id });
  return due.length > 0;
}

/** Options of a test event: a challenge for the receiver to return, or a signature that it must reject. */
export interface TestEventOptions {
  endpoint_id: string;
  challenge?: string | undefined;
  signature?: "wrong" | undefined;
}

/** Returns whether the partner has sent as many test events in the last 24 hours as it may. */
export async function isAtTestLimit(env: Env, owner: Owner, nowMs: number): Promise<boolean> {
  const sent = await countTestEvents(databaseFor(env, owner), owner.partner_id, nowMs - DAY_MS);
  return sent >= TEST_EVENTS_A_DAY;
}

/** Sends a test event. Returns its id, or null when the partner has reached the limit of test events. */
export async function sendTestEvent(
  env: Env,
  owner: Owner,
  { endpoint_id, challenge, signature }: TestEventOptions,
  nowMs: number,
): Promise<string | null> {
  const partnerId = owner.partner_id;
  if (await isAtTestLimit(env, owner, nowMs)) return null;
  const database = databaseFor(env, owner);
  const delivery = { partner_id: partnerId, delivery_id: EVENT_PREFIX + randomId() };
  const body: TestEvent = {
    type: "test.ping",
    timestamp: new Date(nowMs).toISOString(),
    data: challenge === undefined ? {} : { challenge },
  };
  await insertDelivery(database, {
    ...delivery,
    kind: "event",
    type: signature === "wrong" ? FORGED : body.type,
    user_id: null,
    import_id: null,
    body: JSON.stringify(body),
    status: "pending",
    then_deliver: null,
    next_attempt_at: nowMs,
    endpoint_id,
  }).run();
  await enqueue(env, { ...delivery, database: owner.database });
  return delivery.delivery_id;
}

/** Sends the deliveries of `readPendingOfEvent`'s result to the queue. */
export async function sendPending(
  env: Pick<Env, "DELIVERIES">,
  { partner_id, database }: Owner,
  pending: D1Result<{ delivery_id: string }> | undefined,
): Promise<void> {
  for (const { delivery_id } of pending?.results ?? []) {
    await enqueue(env, { partner_id, database, delivery_id });
  }
}

/** Sends a delivery to the queue. If that fails, the sweep sends it later. */
async function enqueue(env: Pick<Env, "DELIVERIES">, message: DeliveryMessage): Promise<void> {
  try {
    await env.DELIVERIES.send(message);
  } catch (fault) {
    const { partner_id, delivery_id } = message;
    logLine({ unit: "setback", outcome: "sent_later", partner_id, delivery_id, fault: faultName(fault) });
  }
}
