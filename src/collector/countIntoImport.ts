import { CLOSED_IMPORT_KEPT_FOR_MS } from "./ages.ts";
import { finishIfSettled, planIsDue, type Counts } from "./importing.ts";
import type { CollectorStorage, ImportRow } from "./storage.ts";

/** What counting needs of the collector's turn. */
export interface ImportTurn {
  storage: Pick<CollectorStorage, "readImports" | "writeImport" | "addToOutbox">;
  /** How long progress of an import gathers before the read model is told. */
  projectionDelayMs: number;
  alarmBy(at: number): void;
  housekeepBy(at: number): void;
}

/** Adds settled files to the counts of their import, and completes it if they were its last. */
export function countIntoImport(turn: ImportTurn, row: ImportRow, counts: Counts, nowMs: number): void {
  const counted: ImportRow = {
    ...row,
    imported: row.imported + counts.imported,
    skipped: row.skipped + counts.skipped,
    failed: row.failed + counts.failed,
    revision: row.revision + 1,
  };
  turn.storage.writeImport(counted);
  finishImport(turn, counted, nowMs);
}

/** Completes an import once, when its last file is settled; what follows from it leaves through the outbox. */
export function finishImport(turn: ImportTurn, row: ImportRow, nowMs: number): void {
  const finished = finishIfSettled(row, nowMs);
  turn.alarmBy(nowMs + turn.projectionDelayMs);
  if (finished === null) return;
  const plan_requested = planIsDue(turn.storage.readImports(), finished, nowMs);
  turn.storage.writeImport({ ...finished, plan_requested });
  turn.storage.addToOutbox([{ kind: "complete_import", import_id: row.import_id }]);
  turn.housekeepBy(nowMs + CLOSED_IMPORT_KEPT_FOR_MS);
  turn.alarmBy(nowMs);
}
