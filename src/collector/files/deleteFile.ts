import { ERASURE_KEPT_FOR_MS } from "../../contract/limits.ts";
import { housekeepBy } from "../housekeep.ts";
import { applyTally } from "../imports/completeImport.ts";
import { Tally } from "../imports/tally.pure.ts";
import type { CollectorTurn } from "../turn.ts";
import { discardAll } from "./unreferencedObjects.ts";
import { isSkipped, newestOf, type FileVersions } from "./versions.pure.ts";

/**
 * Deletes a file with all its versions. Claims on it end: their reports change nothing. A later ping of its name starts
 * above the deleted versions. Returns false for an unknown file, or for one whose deletion is in the read model already.
 */
export function deleteFile(turn: CollectorTurn, fileId: string): boolean {
  const { storage, identity, now } = turn;
  const file = storage.files.read([fileId]).get(fileId);
  if (file === undefined) return storage.outbox.isDeleting(fileId);
  const { version } = newestOf(file);
  storage.files.delete(fileId);
  storage.deletedFiles.note(fileId, version);
  countAsSkipped(turn, file);
  storage.outbox.add([{ kind: "delete_file", file_id: fileId, version }, ...discardAll(identity, file)]);
  housekeepBy(turn, version + ERASURE_KEPT_FOR_MS);
  turn.alarmBy(now + turn.clock.projectionDelayMs);
  return true;
}

/** Counts a file that its import counts as pending or failed as skipped. An imported file stays counted. */
function countAsSkipped(turn: CollectorTurn, { current }: FileVersions): void {
  if (current === null || current.state === "imported" || current.import_id === null) return;
  const tally = new Tally();
  if (current.state === "queued") tally.add(current, "skipped");
  else tally.correct(current.import_id, isSkipped(current) ? "skipped" : "failed", "skipped");
  applyTally(turn, tally);
}
