import { KEPT_URL_FOR_MS } from "./ages.ts";
import { countIntoImport, type ImportTurn } from "./countIntoImport.ts";
import { singleDispatch } from "./dispatching.ts";
import { mended } from "./importing.ts";
import type { LedgerRow } from "./ledger.ts";
import { objectsLeftBehind, ownerOf } from "./projection.ts";
import { inFlight, settle, type Outcome } from "./settle.ts";
import type { CollectorStorage, Dispatch } from "./storage.ts";
import { Tally } from "./tally.ts";

/** What settling needs of the collector's turn. */
export interface SettlingTurn extends ImportTurn {
  storage: ImportTurn["storage"] &
    Pick<
      CollectorStorage,
      "about" | "readFiles" | "writeFiles" | "readImport" | "writeDispatches" | "deleteDispatch"
    >;
}

/** Writes what an importer has reported of a dispatch's files, and all that follows from it. */
export function settleOutcomes(
  turn: SettlingTurn,
  dispatch: Dispatch,
  outcomes: readonly Outcome[],
  nowMs: number,
): void {
  const rows = turn.storage.readFiles(outcomes.map((outcome) => outcome.file_id));
  const changed: LedgerRow[] = [];
  const failed: [LedgerRow, LedgerRow][] = [];
  const retries: Dispatch[] = [];
  const project: string[] = [];
  const tally = new Tally();
  for (const outcome of outcomes) {
    const row = inFlight(rows.get(outcome.file_id), outcome.version);
    if (row === null) continue;
    const settlement = settle(row, outcome, row.revision + dispatch.claims, nowMs);
    changed.push(settlement.row);
    if (settlement.kind === "again") {
      // A file that has to be alone in memory stays so until it is settled.
      const next = singleDispatch("RETRY", row.file_id, row.current.version, settlement.at);
      retries.push({ ...next, exclusive: dispatch.exclusive });
    } else {
      tally.add(row.current, settlement.kind);
    }
    if (settlement.kind === "failed") failed.push([row, settlement.row]);
    if (settlement.kind !== "imported") project.push(row.file_id);
  }
  turn.storage.writeFiles(changed);
  turn.storage.writeDispatches(retries);
  for (const retry of retries) turn.alarmBy(retry.due_at);
  followSettled(turn, project, tally, nowMs);
  discardLeftBehind(turn, failed);
}

/** What follows when files were settled: the read model is told of failures, imports count and may complete. */
export function followSettled(
  turn: SettlingTurn,
  failedFiles: readonly string[],
  tally: Tally,
  nowMs: number,
): void {
  if (failedFiles.length > 0) {
    turn.storage.addToOutbox([{ kind: "project_files", file_ids: [...failedFiles] }]);
    turn.housekeepBy(nowMs + KEPT_URL_FOR_MS);
    turn.alarmBy(nowMs);
  }
  for (const [importId, counts] of tally.imports) {
    const row = turn.storage.readImport(importId);
    if (row !== null) countIntoImport(turn, row, counts, nowMs);
  }
  for (const [importId, imported] of tally.mended) {
    const row = turn.storage.readImport(importId);
    if (row !== null) turn.storage.writeImport(mended(row, imported));
    turn.alarmBy(nowMs);
  }
}

/** Objects that these changes leave without a name go through the outbox. */
export function discardLeftBehind(
  turn: Pick<SettlingTurn, "storage">,
  changes: readonly [before: LedgerRow, after: LedgerRow][],
): void {
  const about = turn.storage.about;
  if (about === null) return;
  const owner = ownerOf(about);
  for (const [before, after] of changes) {
    const keys = objectsLeftBehind(owner, before, after);
    turn.storage.addToOutbox(
      keys.map((object_key) => ({ kind: "discard_object", file_id: after.file_id, object_key })),
    );
  }
}
