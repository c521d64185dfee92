import type { TaskEntry } from "./calls.ts";
import { newImport, repeatedImport } from "./importing.ts";
import type { CollectorStorage, ImportRow } from "./storage.ts";

type TaskLedger = Pick<
  CollectorStorage,
  "about" | "countHeld" | "missing" | "readImports" | "countDuplicates"
>;

/** The import that this task asked for already, or the one that takes what is held now. Writes nothing. */
export function judgeTask(
  ledger: TaskLedger,
  task: TaskEntry,
  nowMs: number,
): { row: ImportRow; repeated: boolean; missing: number[] | null } {
  const held = ledger.countHeld();
  const missing = task.expected === null ? null : ledger.missing(task.expected);
  const started = held.count === 0 ? repeatedImport(ledger.readImports(), task, nowMs) : null;
  if (started !== null) return { row: started, repeated: true, missing };
  const after = ledger.about?.released_through ?? 0;
  const through = held.count === 0 ? after : Math.max(nowMs, held.newest);
  const skipped = ledger.countDuplicates();
  return {
    row: newImport(task, { held: held.count, skipped, after, through, now: nowMs }),
    repeated: false,
    missing,
  };
}
