import { createMessageBatch, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { collectorName, randomId } from "../../src/identifiers.ts";
import worker from "../../src/index.ts";
import { ownerOf } from "./databases.ts";

/** One user's files from one source in a test: the collector, and the messages that it has sent. */
export function collectorOf(partnerId: string, userId: string, source: string) {
  const name = collectorName(partnerId, userId, source);
  const stub = env.COLLECTOR.getByName(name);
  return {
    name,
    stub,
    alarm: () => runDurableObjectAlarm(stub),
    alarmAt: () => runInDurableObject(stub, (_instance, { storage }) => storage.getAlarm()),
    /** Claims a dispatch as the first delivery of a new message. */
    claim: (dispatchId: string) =>
      stub.claim(dispatchId, { claim: randomId(), message_id: randomId(), attempt: 1 }),
    /** Returns ids and queues of dispatches that were sent and not claimed. */
    sent: () => dispatchIds(stub, true),
    unsent: () => dispatchIds(stub, false),
  };
}

/** Runs the alarms of these pings' collectors. Afterwards the read model has every ping. */
export async function project(
  { partnerId }: { partnerId: string },
  pings: readonly { user_id: string; source: string }[],
): Promise<void> {
  const names = new Map(
    pings.map(({ user_id, source }) => [JSON.stringify([user_id, source]), { user_id, source }]),
  );
  for (const { user_id, source } of names.values()) await collectorOf(partnerId, user_id, source).alarm();
}

export type CollectorUnderTest = ReturnType<typeof collectorOf>;

/** Returns ids of dispatches that were sent. */
const taken = new Set<string>();

for (const queue of [env.PRIORITY, env.BULK, env.RETRY]) {
  // Test queues deliver nothing, so their messages are no backlog.
  queue.metrics = async () => ({ backlogCount: 0, backlogBytes: 0 });
  const sendBatch = queue.sendBatch.bind(queue);
  queue.sendBatch = async (messages, options) => {
    const batch = [...messages];
    const result = await sendBatch(batch, options);
    for (const { body } of batch) taken.add(body.dispatch_id);
    return result;
  };
}

async function dispatchIds(
  stub: CollectorUnderTest["stub"],
  sent: boolean,
): Promise<{ dispatch_id: string; queue: string }[]> {
  return runInDurableObject(stub, (_instance, { storage }) =>
    storage.sql
      .exec<{ dispatch_id: string; queue: string }>(
        "SELECT dispatch_id, queue FROM dispatches WHERE state <> 'claimed' ORDER BY due_at, dispatch_id",
      )
      .toArray()
      .filter(({ dispatch_id }) => sent === taken.has(dispatch_id)),
  );
}

/** Delivers one dispatch to the importer, as its queue would. */
export async function deliverDispatch(
  collector: CollectorUnderTest,
  dispatchId: string,
  queue = "partner-api-priority",
) {
  const batch = createMessageBatch(queue, [
    {
      id: dispatchId,
      timestamp: new Date(),
      attempts: 1,
      body: { collector: collector.name, dispatch_id: dispatchId },
    },
  ]);
  await worker.queue(batch, env);
}

export async function deliverEvent(partnerId: string, deliveryId: string) {
  const batch = createMessageBatch("partner-api-deliveries", [
    {
      id: deliveryId,
      timestamp: new Date(),
      attempts: 1,
      body: { ...ownerOf(partnerId), delivery_id: deliveryId },
    },
  ]);
  await worker.queue(batch, env);
}

/** Repeats alarms and deliveries until the collector has no due work. */
export async function settle(collector: CollectorUnderTest): Promise<void> {
  for (let round = 0; round < 200; round += 1) {
    const sent = await collector.sent();
    for (const { dispatch_id, queue } of sent) {
      await deliverDispatch(collector, dispatch_id, `partner-api-${queue.toLowerCase()}`);
    }
    const due = await isDue(collector);
    if (due) await collector.alarm();
    if (!due && sent.length === 0) return;
  }
  throw new Error("the collector still has due work");
}

async function isDue(collector: CollectorUnderTest): Promise<boolean> {
  return runInDurableObject(collector.stub, async (_instance, state) => {
    const alarm = await state.storage.getAlarm();
    return alarm !== null && alarm <= Date.now() + 2_000;
  });
}
