import type { CollectorEnv } from "../env.ts";
import { nameOf } from "../identity.ts";
import type { CollectorTurn } from "../turn.ts";
import { SEND_GRACE_MS, type Dispatch, type QueueName } from "./dispatch.pure.ts";
import { sendDispatches } from "./sendDispatches.ts";

/** Sends a collector's dispatches and notes which were sent. */
export class DispatchSender {
  readonly #queues: Pick<CollectorEnv, QueueName>;
  /**
   * Dispatches sent by requests, with the time when the alarm looks after them. In memory: most are claimed before the
   * alarm reads a row.
   */
  readonly #sentAtOnce = new Map<string, number>();

  constructor(queues: Pick<CollectorEnv, QueueName>) {
    this.#queues = queues;
  }

  /** Sends what a request has dispatched. A crash before the alarm forgets that, and they are sent twice. */
  async sendAtOnce({ identity }: CollectorTurn, dispatches: readonly Dispatch[]): Promise<void> {
    const dueAt = new Map(dispatches.map(({ dispatch_id, due_at }) => [dispatch_id, due_at]));
    await sendDispatches(this.#queues, nameOf(identity), dispatches, (dispatchIds) => {
      for (const id of dispatchIds) this.#sentAtOnce.set(id, dueAt.get(id) ?? 0);
    });
  }

  /** Marks as sent what requests have sent and is due. Returns their ids: forget them once that is committed. */
  noteSentAtOnce({ storage, clock, now }: CollectorTurn): string[] {
    const due = [...this.#sentAtOnce].flatMap(([id, dueAt]) => (dueAt <= now ? [id] : []));
    storage.dispatches.markSentAtOnce(due, clock.leaseMs - SEND_GRACE_MS);
    return due;
  }

  forgetSentAtOnce(dispatchIds: readonly string[]): void {
    for (const id of dispatchIds) this.#sentAtOnce.delete(id);
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
