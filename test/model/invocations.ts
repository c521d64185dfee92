import { AsyncLocalStorage } from "node:async_hooks";
import type { Claim } from "../../src/collector/calls.ts";

/** What an invocation meets that has ended in the middle: nothing it does has an effect any more. */
export class Ended extends Error {
  override name = "Ended";
}

/** One request, message batch, scheduled run or life of an object: what ends as a whole when its isolate dies. */
export class Invocation {
  readonly label: string;
  ended = false;
  /** Gates passed so far: one before and one after everything that leaves the isolate. */
  gates = 0;
  /** The gate at which it ends; null: it lives. */
  endsAt: number | null;
  /** Faults of stores that it has met. */
  faults = 0;
  /** What it has claimed, by dispatch. */
  readonly claims = new Map<string, Pick<Claim, "items"> & { until: number }>();

  constructor(label: string, endsAt: number | null = null) {
    this.label = label;
    this.endsAt = endsAt;
  }
}

/** The invocation in which code runs, for what is global: fetch. */
export const current = new AsyncLocalStorage<Invocation>();

/**
 * The order in which concurrent invocations go on. Where `interleaving`, each stops at every gate until it is
 * chosen; otherwise they run as they come.
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

  /** Starts something that goes on beside all else; it must not reject. */
  start(work: () => Promise<unknown>): void {
    const running = work();
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
  }

  /** Lets one waiting invocation after another go to its next gate, each chosen by its number. */
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

  /** Lets everything go on until nothing is left to do. */
  async finish(): Promise<void> {
    this.#open = true;
    for (const go of this.#waiting.splice(0)) go();
    while (this.#running.size > 0) await Promise.all(this.#running);
    this.#open = false;
  }
}

/** Everything that waits for nothing but other code has run afterwards. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
