import type { Env } from "../env.ts";
import { boundOf, readErased } from "../erasure/read.ts";
import { discardObjects, projectFiles } from "../files/write.ts";
import { touchUsers } from "../users/write.ts";
import { announceImport } from "./announceImport.ts";
import type { LedgerRow } from "./ledger.ts";
import type { Progress } from "./projectImports.ts";
import { projectionOf, type Owner } from "./projection.ts";
import type { ImportRow, OutboxEntry } from "./storage.ts";

/** What draining needs of the storage. */
export interface OutboxLedger {
  outbox(limit: number): { seq: number; entry: OutboxEntry }[];
  removeFromOutbox(seq: number): void;
  readFiles(fileIds: readonly string[]): Map<string, LedgerRow>;
  readImport(importId: string): ImportRow | null;
  failuresOfImport(importId: string, limit: number): LedgerRow[];
}

/** Entries that one alarm works off; the rest makes the next alarm come at once. */
const ENTRIES_PER_ALARM = 200;

/**
 * Works the outbox off in order: an import completes only after its failures are readable, and an object goes
 * only after what replaced it is. An entry leaves once its work is done; the first fault ends the round.
 */
export async function drainOutbox(
  ledger: OutboxLedger,
  progress: Progress,
  env: Env,
  database: D1Database,
  owner: Owner,
): Promise<void> {
  for (const { seq, entry } of ledger.outbox(ENTRIES_PER_ALARM)) {
    switch (entry.kind) {
      case "project_files": {
        const rows = [...ledger.readFiles(entry.file_ids).values()];
        await tellOfFiles(rows, progress, database, owner);
        break;
      }
      case "discard_object":
        await database.batch(discardObjects(database, owner.partner_id, [entry]));
        break;
      case "complete_import": {
        const row = ledger.readImport(entry.import_id);
        if (row === null) break;
        const erasedBefore = await announceImport(env, database, owner, row, (limit) =>
          ledger.failuresOfImport(row.import_id, limit),
        );
        progress.projected(row, true);
        await progress.meetErasure(erasedBefore, row.requested_at);
        break;
      }
    }
    ledger.removeFromOutbox(seq);
  }
}

async function tellOfFiles(
  rows: readonly LedgerRow[],
  progress: Progress,
  database: D1Database,
  owner: Owner,
): Promise<void> {
  const projections = rows.flatMap((row) => projectionOf(owner, row) ?? []);
  if (projections.length === 0) return;
  const versions = projections.map((projection) => projection.version);
  const version = Math.max(...versions);
  const pinged_at = Math.max(...projections.map((projection) => projection.received_at));
  const results = await database.batch([
    ...projectFiles(database, owner.partner_id, projections),
    ...touchUsers(database, owner.partner_id, [{ ...owner, version, pinged_at }]),
    readErased(database, owner.partner_id, owner.user_hash),
  ]);
  await progress.meetErasure(boundOf(results.at(-1)), Math.min(...versions));
}
