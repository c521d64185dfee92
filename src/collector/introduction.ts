import { TimedOut, withTimeout } from "../concurrency/withTimeout.ts";
import { databaseFor } from "../database/databases.ts";
import { boundOf, readErased } from "../erasure/read.ts";
import { faultName, logLine } from "../log.ts";
import { introduceSources } from "../sources/write.ts";
import type { CollectorNames } from "./calls.ts";
import type { CollectorEnv } from "./env.ts";
import type { CollectorEraser } from "./erase.ts";
import { identityOf, nameOf, type CollectorIdentity } from "./identity.ts";
import type { CollectorTurns } from "./turns.ts";

/** Maximum time that a first ping waits for the database. */
export const INTRODUCTION_DEADLINE_MS = 2_500;
/** Time after a timeout in which pings do not wait for the database again. The alarm retries meanwhile. */
const SKIP_AFTER_TIMEOUT_MS = 30_000;
/** An erasure at the same moment invalidates an introduction, which is then repeated. */
const MAX_TRIES = 3;

/**
 * Lists a collector's source in the read model before the collector accepts its first pings, so that an erasure right
 * after their response finds the collector. Concurrent pings wait for the same call.
 */
export class Introduction {
  readonly #env: CollectorEnv;
  readonly #turns: CollectorTurns;
  readonly #eraser: CollectorEraser;
  #listing: Promise<number | null> | null = null;
  #skipUntil = 0;

  constructor(env: CollectorEnv, turns: CollectorTurns, eraser: CollectorEraser) {
    this.#env = env;
    this.#turns = turns;
    this.#eraser = eraser;
  }

  /**
   * Returns whether this call listed the source; the caller commits that with the pings. False when the source was
   * listed before, or the database did not respond in time. Throws when an erasure found in D1 cannot be applied.
   */
  async introduce(names: CollectorNames): Promise<boolean> {
    const { storage } = this.#turns;
    for (let tries = 0; tries < MAX_TRIES && !storage.identity.isIntroduced; tries += 1) {
      if (this.#listing === null && Date.now() < this.#skipUntil) return false;
      this.#listing ??= this.#list(names).finally(() => {
        this.#listing = null;
      });
      const version = await this.#listing;
      if (version === null) return false;
      if (version > storage.erasedBefore) return true;
    }
    return false;
  }

  /** Returns the version that the source is listed with. Null when the database did not respond. */
  async #list(names: CollectorNames): Promise<number | null> {
    const { storage } = this.#turns;
    const identity = identityOf(names);
    // Without earlier files, at most the version of the first ping.
    const version = Math.max(Date.now(), storage.newestVersion(), storage.versionFloor() + 1);
    const bound = await this.#write({ ...identity, version });
    if (bound === null) return null;
    await this.#eraser.applyMissed(bound);
    return version;
  }

  /** Returns the bound of the user's last erasure, 0 for none. Null when the database did not respond. */
  async #write(source: CollectorIdentity & { version: number }): Promise<number | null> {
    const { partner_id, user_hash } = source;
    try {
      const database = databaseFor(this.#env, source);
      const results = await withTimeout(
        INTRODUCTION_DEADLINE_MS,
        database.batch([
          ...introduceSources(database, partner_id, [source]),
          readErased(database, partner_id, user_hash),
        ]),
      );
      return boundOf(results.at(-1));
    } catch (fault) {
      if (fault instanceof TimedOut) this.#skipUntil = Date.now() + SKIP_AFTER_TIMEOUT_MS;
      logLine({
        unit: "setback",
        outcome: "introduced_later",
        collector: nameOf(source),
        fault: faultName(fault),
      });
      return null;
    }
  }
}
