export const STORES = [
  "d1",
  "r2.put",
  "r2.get",
  "r2.delete",
  "r2.list",
  "queue",
  "kv",
  "rpc",
  "windows",
] as const;
export type Store = (typeof STORES)[number];

/** `refused`: the call did nothing. `result_lost`: the call was carried out, and its result was lost. */
export type FaultKind = "refused" | "result_lost";

/** Faults of the service's stores. */
export class Faults {
  readonly #next = new Map<Store, FaultKind[]>();
  readonly #down = new Set<Store>();
  /** Stores that have failed at least once. */
  readonly met = new Set<Store>();
  #paused = 0;

  /** Makes the store's next call fail. */
  arm(store: Store, kind: FaultKind): void {
    this.#next.set(store, [...(this.#next.get(store) ?? []), kind]);
  }

  setDown(store: Store, down: boolean): void {
    if (down) this.#down.add(store);
    else this.#down.delete(store);
  }

  heal(): void {
    this.#next.clear();
    this.#down.clear();
  }

  /** Reads the stores as an observer, without faults. */
  async without<T>(look: () => Promise<T>): Promise<T> {
    this.#paused += 1;
    try {
      return await look();
    } finally {
      this.#paused -= 1;
    }
  }

  async meet<T>(store: Store, effect: () => Promise<T>): Promise<T> {
    if (this.#paused > 0) return effect();
    const kind = this.#down.has(store) ? "refused" : this.#next.get(store)?.shift();
    if (kind !== undefined) this.met.add(store);
    if (kind === "refused") throw new StoreFault(store);
    const result = await effect();
    if (kind === "result_lost") throw new StoreFault(store);
    return result;
  }
}

class StoreFault extends Error {
  override name = "StoreFault";

  constructor(store: Store) {
    super(`${store} did not respond`);
  }
}
