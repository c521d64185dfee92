import type { CollectorStorage } from "../storage/storage.ts";
import type { ImportState } from "./import.pure.ts";

/** Notes that the read model has this state of the import. The import may have changed since. */
export function markProjected(storage: CollectorStorage, row: ImportState, announced: boolean): void {
  const latest = storage.imports.read(row.import_id);
  if (latest !== null) storage.imports.write({ ...latest, announced, projected_revision: row.revision });
}
