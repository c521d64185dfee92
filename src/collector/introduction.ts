import { TimedOut, within } from "../concurrency/within.ts";
import { databaseFor } from "../database/databases.ts";
import { boundOf, readErased } from "../erasure/read.ts";
import { faultName, logLine } from "../log.ts";
import { introduceSources } from "../sources/write.ts";
import type { CollectorNames } from "./calls.ts";
import type { CollectorEnv } from "./env.ts";
import type { CollectorEraser } from "./erase.ts";
import { identityOf, nameOf } from "./identity.ts";
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
  #underway: Promise<boolean> | null = null;
  #silentUntil = 0;

  constructor(env: CollectorEnv, turns: CollectorTurns, eraser: CollectorEraser) {
    this.#env = env;
    this.#turns = turns;
    this.#eraser = eraser;
  }

  /**
   * Returns once the source is listed, or the database did not answer in time. Throws when an erasure that the database
   * knows cannot be carried out here.
   */
  async ensure(names: CollectorNames): Promise<void> {
    const { identity } = this.#turns.storage;
    for (let tries = 0; tries < MAX_TRIES && !identity.isIntroduced; tries += 1) {
      if (this.#underway === null && Date.now() < this.#silentUntil) return;
      this.#underway ??= this.#introduce(names).finally(() => {
        this.#underway = null;
      });
      if (!(await this.#underway)) return;
    }
  }

  /** Returns whether the database answered. */
  async #introduce(names: CollectorNames): Promise<boolean> {
    const { storage } = this.#turns;
    const identity = identityOf(names);
    // The first ping's version is not below it.
    const version = Math.max(Date.now(), storage.newestVersion(), storage.versionFloor() + 1);
    const found = await this.#list({ ...identity, version });
    if (found === null) return false;
    await this.#eraser.meet(found.bound);
    if (version > storage.erasedBefore) {
      this.#turns.commit(() => {
        storage.identity.introduce(names);
        storage.identity.noteIntroduction();
      });
    }
    return true;
  }

  /** Returns the bound of the user's last erasure, 0 for none; null when the database did not answer. */
  async #list(
    source: ReturnType<typeof identityOf> & { version: number },
  ): Promise<{ bound: number } | null> {
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
      return { bound: boundOf(results.at(-1)) };
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
