import type { Dispatch } from "../dispatches/dispatch.pure.ts";
import type { CollectorStorage } from "../storage/storage.ts";

/**
 * Open dispatches of live rides that may be missing in the read model. A live ride has no outbox entry while its
 * dispatch is open. Kept in memory: after a restart all open dispatches are projected again, which changes nothing.
 */
export class UnprojectedDispatches {
  readonly #storage: CollectorStorage;
  /** Null until the alarm reads them from storage. */
  #ids: Set<string> | null = null;

  constructor(storage: CollectorStorage) {
    this.#storage = storage;
  }

  add(dispatches: readonly Dispatch[]): void {
    for (const { dispatch_id } of dispatches) this.#ids?.add(dispatch_id);
  }

  get size(): number {
    return this.#known().size;
  }

  /** Returns the oldest open dispatches, at most `limit`. Forgets settled ones, which need no projection. */
  first(limit: number): Dispatch[] {
    const ids = [...this.#known()].slice(0, limit);
    const open = this.#storage.dispatches.readAll(ids);
    const openIds = new Set(open.map(({ dispatch_id }) => dispatch_id));
    this.forget(ids.filter((id) => !openIds.has(id)));
    return open;
  }

  forget(dispatchIds: readonly string[]): void {
    for (const id of dispatchIds) this.#ids?.delete(id);
  }

  #known(): Set<string> {
    this.#ids ??= new Set(this.#storage.dispatches.idsOfLiveRides());
    return this.#ids;
  }
}
