import { within } from "../../concurrency/within.ts";
import { discardObjects } from "../../files/write.ts";
import type { CollectorEnv } from "../env.ts";
import { announceImport } from "../imports/announceImport.ts";
import { markProjected } from "../imports/markProjected.ts";
import type { CollectorTurn } from "../turn.ts";
import type { MeetErasure } from "./meetErasure.ts";
import { DATABASE_DEADLINE_MS, DISPATCHES_PER_ALARM, projectChanges } from "./projectChanges.ts";
import type { UnprojectedDispatches } from "./unprojectedDispatches.ts";

/** Entries that one alarm handles, and files of theirs, give or take those of the last entry. */
const ENTRIES_PER_ALARM = 200;
const FILES_PER_ALARM = 5_000;

/**
 * Writes what has changed to the read model. Files come first, in one batch with the progress of imports; then objects
 * are discarded, and imports announced: an import completes only after its failures are readable, and an object goes
 * only after what replaced it is readable. An entry is removed once it is written; the first fault ends the round.
 * Returns whether more entries wait for the next alarm.
 */
export async function drainOutbox(
  turn: CollectorTurn,
  env: CollectorEnv,
  database: D1Database,
  unprojected: UnprojectedDispatches,
  meetErasure: MeetErasure,
): Promise<boolean> {
  const { storage, identity } = turn;
  const waiting = storage.outbox.first(ENTRIES_PER_ALARM + 1);
  let files = 0;
  const end = waiting.findIndex(({ entry }, index) => {
    const isFull = index >= ENTRIES_PER_ALARM || files >= FILES_PER_ALARM;
    files += entry.kind === "project_files" ? entry.file_ids.length : 0;
    return isFull;
  });
  const entries = end === -1 ? waiting : waiting.slice(0, end);
  const moreDispatches = unprojected.size > DISPATCHES_PER_ALARM;
  await projectChanges(turn, entries, database, unprojected, meetErasure);

  const discards = entries.flatMap(({ seq, entry }) =>
    entry.kind === "discard_object" ? [{ seq, object: entry }] : [],
  );
  if (discards.length > 0) {
    const objects = discards.map(({ object: { file_id, object_key } }) => ({ file_id, object_key }));
    await within(
      DATABASE_DEADLINE_MS,
      database.batch(discardObjects(database, identity.partner_id, objects)),
    );
    storage.outbox.remove(discards.map(({ seq }) => seq));
  }

  for (const { seq, entry } of entries) {
    if (entry.kind !== "complete_import") continue;
    const row = storage.imports.read(entry.import_id);
    if (row !== null) {
      const erasedBefore = await within(
        DATABASE_DEADLINE_MS,
        announceImport(env, database, identity, row, (limit) =>
          storage.files.failuresOf(row.import_id, limit),
        ),
      );
      await meetErasure(erasedBefore);
      markProjected(storage, row, true);
    }
    storage.outbox.remove([seq]);
  }
  return entries.length < waiting.length || moreDispatches;
}
