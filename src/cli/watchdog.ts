import { readdir, stat } from "node:fs/promises";
import path from "node:path";

/** Number of silent rounds in a row after which a service counts as stuck. */
const SILENT_ROUNDS = 3;

/**
 * Distinguishes a stuck service from a busy one. The service has one thread. While it is busy, it may not respond for
 * minutes, but it writes to its stores or its log. A stuck service does neither.
 */
export class Watchdog {
  readonly #isResponding: () => Promise<boolean>;
  readonly #stores: string;
  readonly #now: () => number;
  #lastLineAt = 0;
  #silentRounds = 0;

  /** `isResponding` calls the service with a time limit. `stores` is the folder that the service writes to. */
  constructor(isResponding: () => Promise<boolean>, stores: string, now: () => number = Date.now) {
    this.#isResponding = isResponding;
    this.#stores = stores;
    this.#now = now;
  }

  /** Call this for each line of the service's log. */
  sawLine(): void {
    this.#lastLineAt = this.#now();
  }

  /** Calls the service once. Returns whether it is stuck. */
  async isStuck(): Promise<boolean> {
    const since = this.#now();
    const isAlive =
      (await this.#isResponding()) ||
      this.#lastLineAt >= since ||
      (await isWrittenSince(this.#stores, since));
    this.#silentRounds = isAlive ? 0 : this.#silentRounds + 1;
    return this.#silentRounds >= SILENT_ROUNDS;
  }
}

/** Returns whether a file or folder below this one was written at `sinceMs` or later. */
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
