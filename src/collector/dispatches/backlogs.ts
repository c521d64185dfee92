import type { CollectorEnv } from "../env.ts";
import type { CollectorStorage } from "../storage/storage.ts";
import type { CollectorClock } from "../clock.pure.ts";
import { queueOf, type Dispatch, type QueueName } from "./dispatch.pure.ts";

/** Time when the oldest waiting message of each queue was sent, in Unix milliseconds. Empty queues have no entry. */
export type Backlogs = ReadonlyMap<QueueName, number>;

/** Tolerance: the clocks of queue and collector differ, and a dispatch is written shortly before it is sent. */
const CLOCK_TOLERANCE_MS = 10_000;

/**
 * Reads the backlogs of the queues of sent dispatches with an ended lease; considers at most `limit` due dispatches. A
 * queue that does not respond counts as empty.
 */
export async function readBacklogs(
  storage: CollectorStorage,
  queues: Pick<CollectorEnv, QueueName>,
  nowMs: number,
  limit: number,
): Promise<Backlogs> {
  const sent = storage.dispatches.due(nowMs, limit).filter(({ state }) => state === "sent");
  const backlogs = new Map<QueueName, number>();
  for (const queue of new Set(sent.map(queueOf))) {
    try {
      const { backlogCount, oldestMessageTimestamp } = await queues[queue].metrics();
      if (backlogCount > 0 && oldestMessageTimestamp !== undefined) {
        backlogs.set(queue, Number(oldestMessageTimestamp));
      }
    } catch {
      // Sending a message twice is harmless. A lost message must be sent again.
    }
  }
  return backlogs;
}

/**
 * Returns the next state of a dispatch at the end of its lease. While its queue has messages as old as this one, it
 * stays sent for another lease. Otherwise its message is probably lost, and it becomes unsent.
 */
export function afterLease(
  dispatch: Dispatch,
  backlogs: Backlogs,
  { leaseMs }: CollectorClock,
  nowMs: number,
): Dispatch {
  const sentAt = dispatch.sent_at ?? dispatch.due_at - leaseMs;
  const oldest = backlogs.get(queueOf(dispatch));
  const waits = oldest !== undefined && oldest <= sentAt + CLOCK_TOLERANCE_MS;
  return waits
    ? { ...dispatch, sent_at: sentAt, due_at: nowMs + leaseMs }
    : { ...dispatch, state: "unsent", sent_at: null, due_at: nowMs };
}
