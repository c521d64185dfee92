import { readdir, stat } from "node:fs/promises";
import path from "node:path";

/** A stuck service is silent in each of so many rounds. */
const SILENT_ROUNDS = 3;

/**
 * Tells a stuck service from a busy one. A service that works for minutes answers nothing, because one thread does
 * everything, but it writes to its stores or its log all the time. One that is stuck does neither.
 */
export class Watchdog {
  readonly #ask: () => Promise<boolean>;
  readonly #stores: string;
  readonly #now: () => number;
  #lastLineAt = 0;
  #silentRounds = 0;

  /** `ask` resolves to whether the service answered in time; `stores` is the folder that it writes to. */
  constructor(ask: () => Promise<boolean>, stores: string, now: () => number = Date.now) {
    this.#ask = ask;
    this.#stores = stores;
    this.#now = now;
  }

  /** Call this for each line of the service's log. */
  sawLine(): void {
    this.#lastLineAt = this.#now();
  }

  /** Asks the service once. Returns whether it is stuck. */
  async isStuck(): Promise<boolean> {
    const since = this.#now();
    const isAlive =
      (await this.#ask()) || this.#lastLineAt >= since || (await isWrittenSince(this.#stores, since));
    this.#silentRounds = isAlive ? 0 : this.#silentRounds + 1;
    return this.#silentRounds >= SILENT_ROUNDS;
  }
}

/** Whether a file or folder below this one was written at `sinceMs` or later. */
async function isWrittenSince(folder: string, sinceMs: number): Promise<boolean> {
  for (const name of await readdir(folder).catch(() => [])) {
    const entry = path.join(folder, name);
    const found = await stat(entry).catch(() => null);
    if (found === null) continue;
    if (found.mtimeMs >= sinceMs) return true;
    if (found.isDirectory() && (await isWrittenSince(entry, sinceMs))) return true;
  }
  return false;
}
