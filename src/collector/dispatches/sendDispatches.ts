import { chunksOf } from "../../concurrency/chunksOf.ts";
import { faultName, logLine } from "../../log.ts";
import type { CollectorEnv } from "../env.ts";
import { QUEUES, queueOf, type Dispatch, type QueueName } from "./dispatch.pure.ts";

/** Maximum number of messages in one sendBatch. */
const SEND_LIMIT = 100;

/**
 * Sends dispatches to their queues. Calls `sent` with the ids of each batch that a queue accepted. Returns whether all
 * batches were accepted. The alarm sends the others later.
 */
export async function sendDispatches(
  queues: Pick<CollectorEnv, QueueName>,
  collector: string,
  dispatches: readonly Dispatch[],
  sent: (dispatchIds: string[]) => void,
): Promise<boolean> {
  let allSent = true;
  for (const queue of QUEUES) {
    const unsent = dispatches.filter((dispatch) => queueOf(dispatch) === queue);
    for (const batch of chunksOf(unsent, SEND_LIMIT)) {
      try {
        await queues[queue].sendBatch(
          batch.map((dispatch) => ({ body: { collector, dispatch_id: dispatch.dispatch_id } })),
        );
      } catch (fault) {
        logLine({
          unit: "setback",
          outcome: "sent_later",
          collector,
          queue,
          messages: batch.length,
          fault: faultName(fault),
        });
        allSent = false;
        continue;
      }
      sent(batch.map((dispatch) => dispatch.dispatch_id));
    }
  }
  return allSent;
}
