import type { SettledCounts } from "../../imports/counts.pure.ts";
import { CLOSED_IMPORT_KEPT_FOR_MS } from "../../contract/limits.ts";
import { housekeepBy } from "../housekeep.ts";
import type { CollectorTurn } from "../turn.ts";
import { addSettled, correctCounts, finishIfSettled, planIsDue, type ImportState } from "./import.pure.ts";
import type { Tally } from "./tally.pure.ts";

/** Adds the tally to its imports. Completes each import without files that are still to settle. */
export function applyTally(turn: CollectorTurn, tally: Tally): void {
  const { imports } = turn.storage;
  for (const [importId, settled] of tally.settled) {
    const row = imports.read(importId);
    if (row !== null) addToImport(turn, row, settled, turn.now);
  }
  for (const [importId, difference] of tally.corrected) {
    const row = imports.read(importId);
    if (row !== null) imports.write(correctCounts(row, difference));
    turn.alarmBy(turn.now + turn.clock.projectionDelayMs);
  }
}

/** Adds settled files to the counts of their import. Completes it when no more files are to settle. */
export function addToImport(
  turn: CollectorTurn,
  row: ImportState,
  settled: Partial<SettledCounts>,
  nowMs: number,
): void {
  const counted = addSettled(row, settled);
  turn.storage.imports.write(counted);
  completeIfSettled(turn, counted, nowMs);
}

/** Completes an import when all its files are settled. An outbox entry announces it. */
export function completeIfSettled(turn: CollectorTurn, row: ImportState, nowMs: number): void {
  const { storage, clock } = turn;
  const finished = finishIfSettled(row, nowMs);
  turn.alarmBy(nowMs + clock.projectionDelayMs);
  if (finished === null) return;
  const plan_requested = planIsDue(storage.imports.all(), finished, nowMs);
  storage.imports.write({ ...finished, plan_requested });
  storage.outbox.add([{ kind: "complete_import", import_id: row.import_id }]);
  housekeepBy(turn, nowMs + CLOSED_IMPORT_KEPT_FOR_MS);
  turn.alarmBy(nowMs);
}
