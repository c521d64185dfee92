import { TimedOut, within } from "../concurrency/within.ts";
import { databaseFor } from "../database/databases.ts";
import { boundOf, readErased } from "../erasure/read.ts";
import { faultName, logLine } from "../log.ts";
import { introduceSources } from "../sources/write.ts";
import type { CollectorNames } from "./calls.ts";
import type { CollectorEnv } from "./env.ts";
import type { CollectorEraser } from "./erase.ts";
import { identityOf, nameOf, type CollectorIdentity } from "./identity.ts";
import type { CollectorTurns } from "./turns.ts";

/** How long a first ping waits for the database at most. */
export const INTRODUCTION_DEADLINE_MS = 2_500;
/** After it did not answer in time, pings do not wait for it again for so long; the alarm asks it meanwhile. */
const SILENCE_MS = 30_000;
/** An erasure that comes at the same moment makes an introduction void; it is then repeated. */
const MAX_TRIES = 3;

/**
 * Lists a collector's source in the read model before the collector accepts its first pings, so that an erasure right
 * after their answer finds it. Pings that come side by side wait for the same call.
 */
export class Introduction {
  readonly #env: CollectorEnv;
  readonly #turns: CollectorTurns;
  readonly #eraser: CollectorEraser;
  #underway: Promise<number | null> | null = null;
  #silentUntil = 0;

  constructor(env: CollectorEnv, turns: CollectorTurns, eraser: CollectorEraser) {
    this.#env = env;
    this.#turns = turns;
    this.#eraser = eraser;
  }

  /**
   * Returns whether the source has just been listed: note it with what is accepted. False when it was noted before, or
   * the database did not answer in time. Throws when an erasure that the database knows cannot be carried out here.
   */
  async introduce(names: CollectorNames): Promise<boolean> {
    const { storage } = this.#turns;
    for (let tries = 0; tries < MAX_TRIES && !storage.identity.isIntroduced; tries += 1) {
      if (this.#underway === null && Date.now() < this.#silentUntil) return false;
      this.#underway ??= this.#list(names).finally(() => {
        this.#underway = null;
      });
      const version = await this.#underway;
      if (version === null) return false;
      if (version > storage.erasedBefore) return true;
    }
    return false;
  }

  /** Returns the version that the source is listed with; null when the database did not answer. */
  async #list(names: CollectorNames): Promise<number | null> {
    const { storage } = this.#turns;
    const identity = identityOf(names);
    // The first ping's version is not below it.
    const version = Math.max(Date.now(), storage.newestVersion(), storage.versionFloor() + 1);
    const bound = await this.#write({ ...identity, version });
    if (bound === null) return null;
    await this.#eraser.meet(bound);
    return version;
  }

  /** Returns the bound of the user's last erasure, 0 for none; null when the database did not answer. */
  async #write(source: CollectorIdentity & { version: number }): Promise<number | null> {
    const { partner_id, user_hash } = source;
    try {
      const database = databaseFor(this.#env, partner_id);
      const results = await within(
        INTRODUCTION_DEADLINE_MS,
        database.batch([
          ...introduceSources(database, partner_id, [source]),
          readErased(database, partner_id, user_hash),
        ]),
      );
      return boundOf(results.at(-1));
    } catch (fault) {
      if (fault instanceof TimedOut) this.#silentUntil = Date.now() + SILENCE_MS;
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
