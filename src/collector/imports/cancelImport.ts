import { KEPT_URL_FOR_MS } from "../../contract/limits.ts";
import type { CancelledImport } from "../calls.ts";
import { discardUnreferenced } from "../files/unreferencedObjects.ts";
import { skip } from "../files/versions.pure.ts";
import { housekeepBy } from "../housekeep.ts";
import type { CollectorTurn } from "../turn.ts";
import { addToImport } from "./completeImport.ts";
import { cancelled, importProjection, type ImportState } from "./import.pure.ts";

/** Maximum number of files that one turn skips. The next alarm skips the others. */
const FILES_PER_TURN = 1_000;

/**
 * Cancels a running import: no more of its files are dispatched, and those that no importer works on are skipped. It
 * completes when the importers have reported the others. Repeating it changes nothing. Null for an unknown import.
 */
export function cancelImport(turn: CollectorTurn, importId: string): CancelledImport | null {
  const { storage, identity, now } = turn;
  const row = storage.imports.read(importId);
  if (row === null) return null;
  if (row.completed_at === null && row.status !== "cancelled") {
    skipFiles(turn, cancelled(row));
    turn.alarmBy(now);
  }
  const after = storage.imports.read(importId) ?? row;
  return { import: importProjection(identity, after), is_cancelled: after.status === "cancelled" };
}

/** Skips the next files of cancelled imports. */
export function skipCancelled(turn: CollectorTurn): void {
  for (const row of turn.storage.imports.all()) if (row.skipped_to !== null) skipFiles(turn, row);
}

/** Makes the alarm skip files of cancelled imports that an importer worked on, because their claim has ended. */
export function skipUnclaimed(turn: CollectorTurn): void {
  const { imports } = turn.storage;
  for (const row of imports.all()) {
    if (row.status !== "cancelled" || row.completed_at !== null) continue;
    imports.write({ ...row, skipped_to: "" });
    turn.alarmBy(turn.now);
  }
}

/** Skips the next files of a cancelled import, except those that an importer works on. */
function skipFiles(turn: CollectorTurn, row: ImportState): void {
  const { storage, identity, now } = turn;
  const found = storage.files.toSkip(row, FILES_PER_TURN);
  const claimed = storage.dispatches.claimedVersions();
  const skipped = found.flatMap((before) => {
    // A claim of an older version ends without an outcome of this one.
    const isClaimed = claimed.get(before.file_id)?.has(before.current?.version ?? 0) ?? false;
    const after = isClaimed ? before : skip(before, now);
    return after === before ? [] : [{ before, after }];
  });
  storage.files.write(skipped.map(({ after }) => after));
  if (skipped.length > 0) {
    storage.outbox.add([{ kind: "project_files", file_ids: skipped.map(({ after }) => after.file_id) }]);
    housekeepBy(turn, now + KEPT_URL_FOR_MS);
  }
  for (const { before, after } of skipped) storage.outbox.add(discardUnreferenced(identity, before, after));
  const skipped_to = found.length < FILES_PER_TURN ? null : (found.at(-1)?.file_id ?? null);
  addToImport(turn, { ...row, skipped_to }, { skipped: skipped.length }, now);
}
