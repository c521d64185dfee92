import { AsyncLocalStorage } from "node:async_hooks";
import type { Claim } from "../../src/collector/calls.ts";

/** Thrown in an invocation that was ended in the middle. Nothing that it does has an effect any more. */
export class Ended extends Error {
  override name = "Ended";
}

/** One request, message batch, scheduled run or instance of an object, which ends as a whole in a crash. */
export class Invocation {
  readonly label: string;
  ended = false;
  /** Number of passed gates. One is before and one after each call that leaves the isolate. */
  gates = 0;
  /** Gate at which it ended. Null while it runs. */
  endsAt: number | null;
  /** Number of store faults in it. */
  faults = 0;
  /** Its claims, by dispatch. */
  readonly claims = new Map<string, Pick<Claim, "items"> & { until: number }>();

  constructor(label: string, endsAt: number | null = null) {
    this.label = label;
    this.endsAt = endsAt;
  }
}

/** The invocation of the running code, for global functions such as fetch. */
export const current = new AsyncLocalStorage<Invocation>();

/**
 * Order of concurrent invocations. With `interleaving`, each stops at every gate until it is chosen. Otherwise they run
 * freely.
 */
export class Scheduler {
  readonly #interleaving: boolean;
  readonly #waiting: (() => void)[] = [];
  readonly #running = new Set<Promise<unknown>>();
  #open = false;

  constructor(interleaving: boolean) {
    this.#interleaving = interleaving;
  }

  async gate(invocation: Invocation): Promise<void> {
    invocation.gates += 1;
    if (invocation.gates === invocation.endsAt) invocation.ended = true;
    if (this.#interleaving && !this.#open) await new Promise<void>((go) => this.#waiting.push(go));
    if (invocation.ended) throw new Ended(`${invocation.label} has ended`);
  }

  /** Starts concurrent work, which must not reject. */
  start(work: () => Promise<unknown>): void {
    const running = work();
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
  }

  /** Lets waiting invocations run to their next gate, one after another, each chosen by its number. */
  async steps(choices: readonly number[]): Promise<void> {
    if (!this.#interleaving) return this.finish();
    for (const choice of choices) {
      await turn();
      const [go] = this.#waiting.splice(choice % Math.max(1, this.#waiting.length), 1);
      if (go === undefined) return;
      go();
    }
    await turn();
  }

  /** Runs everything until no work is left. */
  async finish(): Promise<void> {
    this.#open = true;
    for (const go of this.#waiting.splice(0)) go();
    while (this.#running.size > 0) await Promise.all(this.#running);
    this.#open = false;
  }
}

/** Resolves after all code that waits only for other code has run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
