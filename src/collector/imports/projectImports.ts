import { boundOf, readErased } from "../../erasure/read.ts";
import { projectImport } from "../../imports/write.ts";
import type { MeetErasure } from "../outbox/meetErasure.ts";
import type { CollectorStorage } from "../storage/storage.ts";
import type { CollectorTurn } from "../turn.ts";
import { importProjection, needsProjection, type ImportState } from "./import.pure.ts";

/** Writes the progress of imports to the read model. */
export async function projectImports(
  { storage, identity }: CollectorTurn,
  database: D1Database,
  meetErasure: MeetErasure,
): Promise<void> {
  for (const row of storage.imports.all()) {
    if (!needsProjection(row)) continue;
    const results = await database.batch([
      projectImport(database, identity.partner_id, importProjection(identity, row)),
      readErased(database, identity.partner_id, identity.user_hash),
    ]);
    markProjected(storage, row, row.announced);
    await meetErasure(boundOf(results.at(-1)), row.requested_at);
  }
}

/** Notes that the read model has the import as it was in this row; it may have changed since. */
export function markProjected(storage: CollectorStorage, row: ImportState, announced: boolean): void {
  const latest = storage.imports.read(row.import_id);
  if (latest !== null) storage.imports.write({ ...latest, announced, projected_revision: row.revision });
}
