import type { CollectorEnv } from "../env.ts";
import { nameOf } from "../identity.ts";
import type { CollectorTurn } from "../turn.ts";
import { SEND_GRACE_MS, type Dispatch, type QueueName } from "./dispatch.pure.ts";
import { sendDispatches } from "./sendDispatches.ts";

/** Sends a collector's dispatches and notes which were sent. */
export class DispatchSender {
  readonly #queues: Pick<CollectorEnv, QueueName>;
  /** Dispatches sent by requests since the last alarm. In memory: most are claimed before the alarm reads a row. */
  readonly #sentAtOnce = new Set<string>();

  constructor(queues: Pick<CollectorEnv, QueueName>) {
    this.#queues = queues;
  }

  /** Sends what a request has dispatched. A crash before the alarm forgets that, and they are sent twice. */
  async sendAtOnce({ identity }: CollectorTurn, dispatches: readonly Dispatch[]): Promise<void> {
    await sendDispatches(this.#queues, nameOf(identity), dispatches, (dispatchIds) => {
      for (const id of dispatchIds) this.#sentAtOnce.add(id);
    });
  }

  /** Writes down what requests have sent. Call `forgetSentAtOnce` once that is committed. */
  noteSentAtOnce({ storage, clock }: CollectorTurn): void {
    storage.dispatches.markSentAtOnce([...this.#sentAtOnce], clock.leaseMs - SEND_GRACE_MS);
  }

  forgetSentAtOnce(): void {
    this.#sentAtOnce.clear();
  }

  /** Sends what no request has sent. Returns whether the queues took everything. */
  async sendUnsent(turn: CollectorTurn, dispatches: readonly Dispatch[]): Promise<boolean> {
    return sendDispatches(this.#queues, nameOf(turn.identity), dispatches, (dispatchIds) => {
      const resendAt = Date.now() + turn.clock.leaseMs;
      turn.storage.dispatches.markSent(dispatchIds, resendAt);
      turn.alarmBy(resendAt);
    });
  }
}
