import { within } from "../concurrency/within.ts";
import { databaseFor } from "../database/databases.ts";
import { sweepAgain } from "../erasure/write.ts";
import { deleteObjects } from "../files/objectKeys.ts";
import { pendingOf } from "../imports/counts.pure.ts";
import { faultName, logLine } from "../log.ts";
import { ERASURE_KEPT_FOR_MS } from "./ages.pure.ts";
import type { CollectorEnv } from "./env.ts";
import { nameOf } from "./identity.ts";
import { addToImport } from "./imports/completeImport.ts";
import { DATABASE_DEADLINE_MS } from "./outbox/projectChanges.ts";
import type { CollectorStorage } from "./storage/storage.ts";
import type { CollectorTurn } from "./turn.ts";
import type { CollectorTurns } from "./turns.ts";

/** Erases everything up to the version. What was pinged later stays. */
export function eraseUpTo(turn: CollectorTurn, version: number): void {
  const { storage, now } = turn;
  storage.eraseUpTo(version);
  // A task after the erasure, but before it was known here, may have released files that are gone now.
  for (const row of storage.imports.all()) {
    if (row.completed_at !== null) continue;
    const gone = pendingOf(row) - storage.files.countPending(row);
    if (gone > 0) addToImport(turn, row, { skipped: gone }, now);
  }
}

/** When the bound of the last erasure is deleted; null without one. */
export function erasureExpiresAt({ erasedBefore }: CollectorStorage): number | null {
  return erasedBefore === 0 ? null : erasedBefore + ERASURE_KEPT_FOR_MS;
}

/** Erases what a collector keeps of its user, with the objects. */
export class CollectorEraser {
  readonly #env: CollectorEnv;
  readonly #turns: CollectorTurns;

  constructor(env: CollectorEnv, turns: CollectorTurns) {
    this.#env = env;
    this.#turns = turns;
  }

  /**
   * Erases everything up to the version; later pings stay. Objects that only this collector references are deleted; if
   * R2 is down, by the alarm. Returns whether anything later is left.
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
    });
    await this.deleteObjects();
    return storage.identity.get() !== null;
  }

  /**
   * Carries out an erasure that did not find this collector. Throws when the database, which has to sweep the user once
   * more, cannot be reached; then nothing is erased.
   */
  async meet(bound: number): Promise<void> {
    const { storage } = this.#turns;
    if (bound <= storage.erasedBefore) return;
    const identity = storage.identity.get();
    if (identity !== null && storage.files.hasAnyUpTo(bound)) {
      const database = databaseFor(this.#env, identity.partner_id);
      await within(
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

  /** Deletes an old erasure's bound. A collector that stores nothing else deletes its storage with its alarm. */
  async expire(nowMs: number): Promise<void> {
    const turns = this.#turns;
    const { storage } = turns;
    const expiresAt = erasureExpiresAt(storage);
    if (expiresAt === null || nowMs < expiresAt) return;
    if (storage.identity.get() === null && storage.outbox.isEmpty) await turns.deleteAll();
    else turns.commit(() => storage.identity.forgetErasure());
  }
}
