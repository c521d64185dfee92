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

/** `refused`: nothing was done; `unheard`: it was done, and the answer was lost. */
export type FaultKind = "refused" | "unheard";

/** Which of our own stores fail, and how. */
export class Faults {
  readonly #next = new Map<Store, FaultKind[]>();
  readonly #down = new Set<Store>();
  /** Stores that have failed at least once. */
  readonly met = new Set<Store>();
  #paused = 0;

  /** The store's next call fails. */
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

  /** Looks at the stores as an observer, whom no fault concerns. */
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
    if (kind === "unheard") throw new StoreFault(store);
    return result;
  }
}

class StoreFault extends Error {
  override name = "StoreFault";

  constructor(store: Store) {
    super(`${store} did not answer`);
  }
}
