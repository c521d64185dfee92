import type { OutboxEntry } from "./storage.ts";

/** What draining needs of the collector. */
export interface OutboxDeps {
  next(limit: number): { seq: number; entry: OutboxEntry }[];
  done(seq: number): void;
  projectFiles(fileIds: string[]): Promise<void>;
  discardObject(fileId: string, objectKey: string): Promise<void>;
  completeImport(importId: string): Promise<void>;
}

/** Entries that one alarm works off; the rest makes the next alarm come at once. */
const ENTRIES_PER_ALARM = 200;

/**
 * Works the outbox off in order: an import completes only after its failures are readable, and an object goes
 * only after what replaced it is. An entry leaves once its work is done; the first fault ends the round.
 */
export async function drainOutbox(deps: OutboxDeps): Promise<void> {
  for (const { seq, entry } of deps.next(ENTRIES_PER_ALARM)) {
    switch (entry.kind) {
      case "project_files":
        await deps.projectFiles(entry.file_ids);
        break;
      case "discard_object":
        await deps.discardObject(entry.file_id, entry.object_key);
        break;
      case "complete_import":
        await deps.completeImport(entry.import_id);
        break;
    }
    deps.done(seq);
  }
}
