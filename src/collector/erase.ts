import { ERASURE_KEPT_FOR_MS } from "../contract/limits.ts";
import { withTimeout } from "../concurrency/withTimeout.ts";
import { databaseFor } from "../database/databases.ts";
import { sweepAgain } from "../erasure/write.ts";
import { deleteObjects } from "../files/objectKeys.ts";
import { pendingOf } from "../imports/counts.pure.ts";
import { faultName, logLine } from "../log.ts";
import type { CollectorEnv } from "./env.ts";
import { nameOf } from "./identity.ts";
import { addToImport } from "./imports/completeImport.ts";
import { DATABASE_DEADLINE_MS } from "./outbox/projectChanges.ts";
import type { CollectorStorage } from "./storage/storage.ts";
import type { CollectorTurn } from "./turn.ts";
import type { CollectorTurns } from "./turns.ts";

/** Erases everything up to the version. Later pings stay. */
export function eraseUpTo(turn: CollectorTurn, version: number): void {
  const { storage, now } = turn;
  storage.eraseUpTo(version);
  // A task between the erasure and this call may have released files that are erased now.
  for (const row of storage.imports.all()) {
    if (row.completed_at !== null) continue;
    const gone = pendingOf(row) - storage.files.countPending(row);
    if (gone > 0) addToImport(turn, row, { skipped: gone }, now);
  }
}

/** Returns when to delete the bound of the last erasure, in Unix milliseconds. Null without a bound. */
export function erasureExpiresAt({ erasedBefore }: CollectorStorage): number | null {
  return erasedBefore === 0 ? null : erasedBefore + ERASURE_KEPT_FOR_MS;
}

/** Erases the data of a collector's user, with the objects. */
export class CollectorEraser {
  readonly #env: CollectorEnv;
  readonly #turns: CollectorTurns;

  constructor(env: CollectorEnv, turns: CollectorTurns) {
    this.#env = env;
    this.#turns = turns;
  }

  /**
   * Erases everything up to the version; later pings stay. Deletes the objects that only this collector references;
   * the alarm deletes them later when R2 is down. Returns whether anything later is left.
   */
  async erase(version: number): Promise<boolean> {
    const turns = this.#turns;
    const { storage } = turns;
    const turn = turns.beginIfKnown();
    turns.commit(() => {
      const object_keys = storage.objectKeysUpTo(version);
      if (turn === null) storage.eraseUpTo(version);
      else eraseUpTo(turn, version);
      if (object_keys.length > 0) {
        storage.outbox.add([{ kind: "delete_objects", object_keys }]);
        turns.alarmBy(Date.now() + turns.clock.projectionDelayMs);
      }
      const expiresAt = erasureExpiresAt(storage);
      if (expiresAt !== null) turns.alarmBy(expiresAt);
      // An alarm may be running, and may crash: later data must not wait for the expiry.
      if (storage.identity.get() !== null) turns.alarmBy(Date.now() + turns.clock.projectionDelayMs);
    });
    await this.deleteObjects();
    return storage.identity.get() !== null;
  }

  /**
   * Applies an erasure that did not reach this collector, and requests another sweep of the user in D1. Throws, and
   * erases nothing, when D1 cannot be reached.
   */
  async applyMissed(bound: number): Promise<void> {
    const { storage } = this.#turns;
    if (bound <= storage.erasedBefore) return;
    const identity = storage.identity.get();
    if (identity !== null && storage.files.hasAnyUpTo(bound)) {
      const database = databaseFor(this.#env, identity);
      await withTimeout(
        DATABASE_DEADLINE_MS,
        sweepAgain(database, identity.partner_id, identity, Date.now()).run(),
      );
    }
    await this.erase(bound);
  }

  /** Deletes objects that only erased versions referenced. Returns whether R2 deleted all of them. */
  async deleteObjects(): Promise<boolean> {
    const { storage } = this.#turns;
    for (;;) {
      const [found] = storage.outbox.firstErasedObjects();
      if (found?.entry.kind !== "delete_objects") return true;
      try {
        await deleteObjects(this.#env.FILES, found.entry.object_keys);
      } catch (fault) {
        const identity = storage.identity.get();
        const collector = identity === null ? null : nameOf(identity);
        logLine({ unit: "setback", outcome: "deleted_later", collector, fault: faultName(fault) });
        return false;
      }
      storage.outbox.remove([found.seq]);
    }
  }

  /** Deletes the bound of an old erasure. A collector without other data deletes all its storage and its alarm. */
  async expire(nowMs: number): Promise<void> {
    const turns = this.#turns;
    const { storage } = turns;
    const expiresAt = erasureExpiresAt(storage);
    if (expiresAt === null || nowMs < expiresAt) return;
    if (storage.identity.get() === null && storage.outbox.isEmpty) await turns.deleteAll();
    else turns.commit(() => storage.identity.deleteErasure());
  }
}
