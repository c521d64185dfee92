import { BULK_WINDOW, bulkDispatches } from "../dispatches/dispatch.pure.ts";
import type { CollectorTurn } from "../turn.ts";

/** Dispatches the next files of the imports, as many as fit into the window of bulk dispatches. */
export function drainImports(turn: CollectorTurn): void {
  const { storage, now } = turn;
  let room = BULK_WINDOW - storage.dispatches.count("BULK");
  for (const row of storage.imports.all()) {
    if (row.drained_to === null || room <= 0) continue;
    const { dispatches, drained_to } = bulkDispatches(turn, room, now, (limit) =>
      storage.files.toDrain(row, limit),
    );
    room -= dispatches.length;
    storage.dispatches.write(dispatches);
    storage.imports.write({ ...row, drained_to });
  }
}

/** Makes the alarm drain imports, because a dispatch has left the window. */
export function drainLater(turn: CollectorTurn): void {
  if (turn.storage.imports.all().some((row) => row.drained_to !== null)) turn.alarmBy(turn.now);
}
