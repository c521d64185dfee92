import type { CollectorEnv } from "../env.ts";
import { nameOf } from "../identity.ts";
import type { CollectorTurn } from "../turn.ts";
import { SEND_GRACE_MS, type Dispatch, type QueueName } from "./dispatch.pure.ts";
import { sendDispatches } from "./sendDispatches.ts";

/** Sends a collector's dispatches and notes which were sent. */
export class DispatchSender {
  readonly #queues: Pick<CollectorEnv, QueueName>;
  /**
   * Dispatches sent by requests, each with its due time. Kept in memory, because most are claimed before the alarm
   * would read a row.
   */
  readonly #sentByRequests = new Map<string, number>();

  constructor(queues: Pick<CollectorEnv, QueueName>) {
    this.#queues = queues;
  }

  /** Sends the dispatches of a request. After a crash before the next alarm, they are sent a second time. */
  async sendForRequest({ identity }: CollectorTurn, dispatches: readonly Dispatch[]): Promise<void> {
    const dueAt = new Map(dispatches.map(({ dispatch_id, due_at }) => [dispatch_id, due_at]));
    await sendDispatches(this.#queues, nameOf(identity), dispatches, (dispatchIds) => {
      for (const id of dispatchIds) this.#sentByRequests.set(id, dueAt.get(id) ?? 0);
    });
  }

  /** Marks due dispatches as sent that requests have sent. Returns their ids, to be forgotten after the commit. */
  noteSentByRequests({ storage, clock, now }: CollectorTurn): string[] {
    const due = [...this.#sentByRequests].flatMap(([id, dueAt]) => (dueAt <= now ? [id] : []));
    storage.dispatches.markSentByRequests(due, clock.leaseMs - SEND_GRACE_MS);
    return due;
  }

  forgetSentByRequests(dispatchIds: readonly string[]): void {
    for (const id of dispatchIds) this.#sentByRequests.delete(id);
  }

  /** Sends dispatches that no request has sent. Returns whether the queues accepted all of them. The calling alarm sets the next one. */
  async sendUnsent(turn: CollectorTurn, dispatches: readonly Dispatch[]): Promise<boolean> {
    return sendDispatches(this.#queues, nameOf(turn.identity), dispatches, (dispatchIds) => {
      turn.storage.dispatches.markSent(dispatchIds, Date.now() + turn.clock.leaseMs);
    });
  }
}
