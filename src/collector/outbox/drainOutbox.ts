import { withTimeout } from "../../concurrency/withTimeout.ts";
import { discardObjects } from "../../files/write.ts";
import type { CollectorEnv } from "../env.ts";
import { announceImport } from "../imports/announceImport.ts";
import { markProjected } from "../imports/markProjected.ts";
import { gatherOutcomes } from "../../outcomes/client.ts";
import type { CollectorTurn } from "../turn.ts";
import type { ApplyMissedErasure } from "./applyMissedErasure.ts";
import { projectDeletions } from "./projectDeletions.ts";
import { DATABASE_DEADLINE_MS, DISPATCHES_PER_ALARM, projectChanges } from "./projectChanges.ts";
import type { UnprojectedDispatches } from "./unprojectedDispatches.ts";

/** Maximum numbers of entries and of their files that one alarm handles. The last entry may exceed the files. */
const ENTRIES_PER_ALARM = 200;
const FILES_PER_ALARM = 5_000;

/**
 * Writes changes to the read model in this order: deleted files, files with the progress of imports, discarded objects,
 * completed imports. So failures are readable before their import completes, and an object is deleted after its replacement is
 * readable. Removes each entry after it is written. Throws at the first fault; the other entries stay. Returns whether
 * more entries wait for the next alarm.
 */
export async function drainOutbox(
  turn: CollectorTurn,
  env: CollectorEnv,
  database: D1Database,
  unprojected: UnprojectedDispatches,
  applyMissedErasure: ApplyMissedErasure,
): Promise<boolean> {
  const { storage, identity } = turn;
  await projectDeletions(turn, env, database);
  const waiting = storage.outbox.first(ENTRIES_PER_ALARM + 1);
  let files = 0;
  const end = waiting.findIndex(({ entry }, index) => {
    const isFull = index >= ENTRIES_PER_ALARM || files >= FILES_PER_ALARM;
    files += entry.kind === "project_files" ? entry.file_ids.length : 0;
    return isFull;
  });
  const entries = end === -1 ? waiting : waiting.slice(0, end);
  const moreDispatches = unprojected.size > DISPATCHES_PER_ALARM;
  const mustReport = await projectChanges(turn, entries, database, unprojected, applyMissedErasure);
  if (mustReport) await gatherOutcomes(env, identity);

  const discards = entries.flatMap(({ seq, entry }) =>
    entry.kind === "discard_object" ? [{ seq, object: entry }] : [],
  );
  if (discards.length > 0) {
    const objects = discards.map(({ object: { file_id, object_key } }) => ({ file_id, object_key }));
    await withTimeout(
      DATABASE_DEADLINE_MS,
      database.batch(discardObjects(database, identity.partner_id, objects)),
    );
    storage.outbox.remove(discards.map(({ seq }) => seq));
  }

  for (const { seq, entry } of entries) {
    if (entry.kind !== "complete_import") continue;
    const row = storage.imports.read(entry.import_id);
    if (row !== null) {
      const erasedBefore = await withTimeout(
        DATABASE_DEADLINE_MS,
        announceImport(env, database, identity, row, (limit) =>
          storage.files.failuresOf(row.import_id, limit),
        ),
      );
      await applyMissedErasure(erasedBefore);
      markProjected(storage, row, true);
    }
    storage.outbox.remove([seq]);
  }
  return entries.length < waiting.length || moreDispatches;
}
