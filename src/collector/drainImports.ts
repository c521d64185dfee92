import { bulkDispatches } from "./dispatching.ts";
import type { CollectorStorage } from "./storage.ts";

/** Bulk dispatches of one collector that may be out at once: a large history leaves room for others. */
export const BULK_WINDOW = 8;

type DrainedLedger = Pick<
  CollectorStorage,
  "countDispatches" | "readImports" | "filesToDrain" | "writeDispatches" | "writeImport"
>;

/** Makes the next bulk dispatches of imports, as many as the window has room for. */
export function drainImports(ledger: DrainedLedger, nowMs: number): void {
  let room = BULK_WINDOW - ledger.countDispatches("BULK");
  for (const row of ledger.readImports()) {
    if (row.drained_to === null || room <= 0) continue;
    const { dispatches, drained_to } = bulkDispatches(room, nowMs, (limit) =>
      ledger.filesToDrain(row, limit),
    );
    room -= dispatches.length;
    ledger.writeDispatches(dispatches);
    ledger.writeImport({ ...row, drained_to });
  }
}
