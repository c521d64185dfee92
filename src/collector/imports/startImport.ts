import { IMPORTS_KEPT } from "../../contract/limits.ts";
import type { StartedImport, TaskEntry } from "../calls.ts";
import { discardUnreferenced } from "../files/unreferencedObjects.ts";
import { supersede, type FileVersions } from "../files/versions.pure.ts";
import type { CollectorIdentity } from "../identity.ts";
import type { CollectorStorage } from "../storage/storage.ts";
import type { CollectorTurn } from "../turn.ts";
import { applyTally, completeIfSettled } from "./completeImport.ts";
import {
  finishIfSettled,
  importProjection,
  newImport,
  repeatedImport,
  type ImportState,
} from "./import.pure.ts";
import { Tally } from "./tally.pure.ts";

/** Releases all held versions as one import, or returns the import that an equal task started earlier. */
export function startImport(turn: CollectorTurn, task: TaskEntry): StartedImport {
  const { storage, identity } = turn;
  // At least the released versions, and after an erasure: other clocks may have been ahead of this one.
  const now = Math.max(turn.now, storage.files.countHeld().newest, storage.erasedBefore + 1);
  const { row, repeated, missing } = judgeTask(storage, task, now);
  const first_contact = !storage.identity.isIntroduced;
  const not_started = !repeated && task.unless_empty === true && row.total === 0;
  if (repeated || not_started) {
    return { import: importProjection(identity, row), repeated, missing, first_contact, not_started };
  }
  storage.identity.storeNames(identity);
  const superseded = storage.files.queuedAndHeld();
  storage.files.deleteDuplicates();
  storage.imports.write(row);
  storage.imports.deleteBeyond(IMPORTS_KEPT);
  // The import downloads the files that no importer works on.
  storage.prefetches.clear();
  storage.dispatches.deletePrefetches(row.after_version);
  storage.identity.releaseThrough(row.through_version);
  for (const file of superseded) supersedeQueued(turn, file, row.import_id);
  completeIfSettled(turn, row, now);
  turn.alarmBy(now);
  const started = storage.imports.read(row.import_id) ?? row;
  return { import: importProjection(identity, started), repeated, missing, first_contact };
}

/** Returns what `startImport` would return now. Writes nothing. */
export function previewImport(
  storage: CollectorStorage,
  identity: CollectorIdentity,
  task: TaskEntry,
  nowMs: number,
): StartedImport {
  const { row, repeated, missing } = judgeTask(storage, task, nowMs);
  return {
    import: importProjection(identity, finishIfSettled(row, nowMs) ?? row),
    repeated,
    missing,
    first_contact: !storage.identity.isIntroduced,
  };
}

/** Returns the import that an equal task started earlier, or a new import of all held versions. */
function judgeTask(
  storage: CollectorStorage,
  task: TaskEntry,
  nowMs: number,
): { row: ImportState; repeated: boolean; missing: number[] | null } {
  const held = storage.files.countHeld();
  const missing = task.expected === null ? null : storage.files.missing(task.expected);
  const started = held.count === 0 ? repeatedImport(storage.imports.all(), task, nowMs) : null;
  if (started !== null) return { row: started, repeated: true, missing };
  const after = storage.identity.releasedThrough;
  const through = held.count === 0 ? after : Math.max(nowMs, held.newest);
  const skipped = storage.files.countDuplicates();
  return {
    row: newImport(task, { held: held.count, skipped, after, through, now: nowMs }),
    repeated: false,
    missing,
  };
}

/** Replaces a queued version by the newer released one. The import of the older version counts it as skipped. */
function supersedeQueued(turn: CollectorTurn, before: FileVersions, importId: string): void {
  const { storage, identity } = turn;
  const after = supersede(before, importId);
  const replaced = before.current;
  if (after === before || replaced?.state !== "queued") return;
  const tally = new Tally();
  tally.add(replaced, "skipped");
  applyTally(turn, tally);
  storage.files.write([after]);
  storage.outbox.add(discardUnreferenced(identity, before, after));
}
