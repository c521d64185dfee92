import type { CollectorEnv } from "../env.ts";
import type { CollectorStorage } from "../storage/storage.ts";
import type { CollectorClock } from "../clock.pure.ts";
import { queueOf, type Dispatch, type QueueName } from "./dispatch.pure.ts";

/** When the oldest message that waits was sent, in Unix milliseconds, for each queue where one waits. */
export type Backlogs = ReadonlyMap<QueueName, number>;

/** Clocks of queue and collector differ, and a request sends a moment after it has written. */
const SLACK_MS = 10_000;

/**
 * Asks the queues of dispatches whose lease has ended, at most `limit`, for their backlog. A queue that does not answer
 * counts as one without a backlog.
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
      // A message sent twice is harmless; one that is lost must be sent again.
    }
  }
  return backlogs;
}

/**
 * A dispatch whose lease has ended: unsent, because its message seems lost; or sent for another lease, because its queue
 * still has messages as old as this one.
 */
export function afterLease(
  dispatch: Dispatch,
  backlogs: Backlogs,
  { leaseMs }: CollectorClock,
  nowMs: number,
): Dispatch {
  const sentAt = dispatch.sent_at ?? dispatch.due_at - leaseMs;
  const oldest = backlogs.get(queueOf(dispatch));
  const waits = oldest !== undefined && oldest <= sentAt + SLACK_MS;
  return waits
    ? { ...dispatch, sent_at: sentAt, due_at: nowMs + leaseMs }
    : { ...dispatch, state: "unsent", sent_at: null, due_at: nowMs };
}
