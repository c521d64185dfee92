import { boundOf, readErased } from "../../erasure/read.ts";
import { discardObjects, projectFiles } from "../../files/write.ts";
import { touchUsers } from "../../users/write.ts";
import type { CollectorEnv } from "../env.ts";
import { projectionOf } from "../files/projection.pure.ts";
import type { FileVersions } from "../files/versions.pure.ts";
import type { CollectorIdentity } from "../identity.ts";
import { announceImport } from "../imports/announceImport.ts";
import { markProjected } from "../imports/projectImports.ts";
import type { CollectorTurn } from "../turn.ts";
import type { MeetErasure } from "./meetErasure.ts";

/** Entries that one alarm handles. The next alarm comes at once when there are more. */
const ENTRIES_PER_ALARM = 200;

/**
 * Writes the outbox to the read model, in order: an import completes only after its failures are readable, and an
 * object is deleted only after what replaced it is readable. An entry is removed once it is written; the first fault
 * ends the round.
 */
export async function drainOutbox(
  { storage, identity }: CollectorTurn,
  env: CollectorEnv,
  database: D1Database,
  meetErasure: MeetErasure,
): Promise<void> {
  for (const { seq, entry } of storage.outbox.first(ENTRIES_PER_ALARM)) {
    switch (entry.kind) {
      case "project_files": {
        const files = [...storage.files.read(entry.file_ids).values()];
        await projectOwnFiles(files, database, identity, meetErasure);
        break;
      }
      case "discard_object":
        await database.batch(discardObjects(database, identity.partner_id, [entry]));
        break;
      case "complete_import": {
        const row = storage.imports.read(entry.import_id);
        if (row === null) break;
        const erasedBefore = await announceImport(env, database, identity, row, (limit) =>
          storage.files.failuresOf(row.import_id, limit),
        );
        markProjected(storage, row, true);
        await meetErasure(erasedBefore, row.requested_at);
        break;
      }
    }
    storage.outbox.remove(seq);
  }
}

async function projectOwnFiles(
  files: readonly FileVersions[],
  database: D1Database,
  identity: CollectorIdentity,
  meetErasure: MeetErasure,
): Promise<void> {
  if (files.length === 0) return;
  const projections = files.map((file) => projectionOf(identity, file));
  const versions = projections.map((projection) => projection.version);
  const version = Math.max(...versions);
  const pinged_at = Math.max(...projections.map((projection) => projection.received_at));
  const results = await database.batch([
    ...projectFiles(database, identity.partner_id, projections),
    ...touchUsers(database, identity.partner_id, [{ ...identity, version, pinged_at }]),
    readErased(database, identity.partner_id, identity.user_hash),
  ]);
  await meetErasure(boundOf(results.at(-1)), Math.min(...versions));
}
