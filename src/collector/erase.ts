import { addToImport } from "./imports/completeImport.ts";
import { pendingOf } from "./imports/import.ts";
import type { CollectorTurn } from "./turn.ts";

/** Erases everything up to the version. What was pinged later stays. */
export function eraseUpTo(turn: CollectorTurn, version: number): void {
  const { storage, now } = turn;
  storage.eraseUpTo(version);
  // A task after the erasure, but before it was known here, may have released files that are gone now.
  for (const row of storage.imports.all()) {
    if (row.completed_at !== null) continue;
    const gone = pendingOf(row) - storage.files.countPending(row);
    if (gone > 0) addToImport(turn, row, { imported: 0, skipped: gone, failed: 0 }, now);
  }
}
