import { pendingOf } from "../imports/counts.pure.ts";
import { ERASURE_KEPT_FOR_MS } from "./ages.pure.ts";
import { addToImport } from "./imports/completeImport.ts";
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

/** Deletes an old erasure's bound. A collector that stores nothing else deletes its storage with its alarm. */
export async function expireErasure(turns: CollectorTurns, nowMs: number): Promise<void> {
  const { storage } = turns;
  const expiresAt = erasureExpiresAt(storage);
  if (expiresAt === null || nowMs < expiresAt) return;
  if (storage.identity.get() === null && storage.outbox.isEmpty) await turns.deleteAll();
  else turns.commit(() => storage.identity.forgetErasure());
}
