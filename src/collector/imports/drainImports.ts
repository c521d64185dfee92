import { BULK_WINDOW, bulkDispatches } from "../dispatches/dispatch.pure.ts";
import { prefetchWaits } from "./drainPrefetches.ts";
import type { CollectorTurn } from "../turn.ts";

/**
 * Dispatches the next files of the imports, as many as fit into the window of bulk dispatches. Files that were released
 * while an importer downloads them stay in its dispatch.
 */
export function drainImports(turn: CollectorTurn): void {
  const { storage, now } = turn;
  const waiting = storage.imports.all().filter((row) => row.drained_to !== null);
  if (waiting.length === 0) return;
  const prefetched = storage.dispatches.prefetchedVersions();
  let room = BULK_WINDOW - storage.dispatches.countBulk();
  for (const row of waiting) {
    if (room <= 0) return;
    const { dispatches, drained_to } = bulkDispatches(
      turn,
      room,
      now,
      (limit) => storage.files.toDrain(row, limit),
      (fileId, version) => prefetched.get(fileId)?.has(version) ?? false,
    );
    room -= dispatches.length;
    storage.dispatches.write(dispatches);
    storage.imports.write({ ...row, drained_to });
  }
}

/** Makes the alarm dispatch files that wait, because a dispatch has left a window. */
export function drainLater(turn: CollectorTurn): void {
  const { storage, now } = turn;
  const imports = storage.imports.all();
  if (imports.some((row) => row.drained_to !== null) || prefetchWaits(storage, imports, now)) {
    turn.alarmBy(now);
  }
}
