import { boundOf, readErased } from "../erasure/read.ts";
import { projectImport } from "../imports/write.ts";
import { hasNews } from "./importing.ts";
import { importProjection, type Owner } from "./projection.ts";
import type { ImportRow } from "./storage.ts";

/** What telling the read model needs of the collector. */
export interface Progress {
  /** The read model has the import as it was in this row. */
  projected(row: ImportRow, announced: boolean): void;
  /** The person was erased up to `bound`; what was told is not older than `oldest`. */
  meetErasure(bound: number, oldest: number): Promise<void>;
}

/** Tells the read model how far imports are. */
export async function projectImports(
  imports: readonly ImportRow[],
  progress: Progress,
  database: D1Database,
  owner: Owner,
): Promise<void> {
  for (const row of imports) {
    if (!hasNews(row)) continue;
    const results = await database.batch([
      projectImport(database, owner.partner_id, importProjection(owner, row)),
      readErased(database, owner.partner_id, owner.user_hash),
    ]);
    progress.projected(row, row.announced);
    await progress.meetErasure(boundOf(results.at(-1)), row.requested_at);
  }
}
