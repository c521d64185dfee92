import { withTimeout } from "../../concurrency/withTimeout.ts";
import { databaseFor } from "../../database/databases.ts";
import { deleteFiles } from "../../files/removals/write.ts";
import { gatherOutcomes } from "../../outcomes/client.ts";
import { readWanted, wantedOf } from "../../outcomes/read.ts";
import type { CollectorEnv } from "../env.ts";
import type { CollectorTurn } from "../turn.ts";
import { DATABASE_DEADLINE_MS } from "./projectChanges.ts";

/** Maximum time that a request waits for the read model. */
const REQUEST_DEADLINE_MS = 2_500;

/** Maximum number of deletions that one batch writes. */
const DELETIONS_PER_BATCH = 500;

/**
 * Writes the waiting deletions of files to the read model. Throws when it does not respond in time; then the alarm
 * repeats them. Has the removals reported if an endpoint of the partner wants outcomes. Other changes of the outbox follow, so that a later ping of a deleted file is written after its deletion.
 */
export async function projectDeletions(
  { storage, identity }: CollectorTurn,
  env: CollectorEnv,
  database: D1Database,
  deadlineMs = DATABASE_DEADLINE_MS,
): Promise<void> {
  let isWanted = false;
  for (;;) {
    const waiting = storage.outbox.deletions(DELETIONS_PER_BATCH);
    if (waiting.length === 0) break;
    const versions = new Map<string, number>();
    for (const { entry } of waiting) {
      if (entry.kind === "delete_file") versions.set(entry.file_id, entry.version);
    }
    const files = Array.from(versions, ([file_id, version]) => ({ file_id, version }));
    const { partner_id } = identity;
    const results = await withTimeout(
      deadlineMs,
      database.batch([...deleteFiles(database, partner_id, files), readWanted(database, partner_id)]),
    );
    isWanted = wantedOf(results.at(-1)) !== "none";
    storage.outbox.remove(waiting.map(({ seq }) => seq));
  }
  if (isWanted) await gatherOutcomes(env, identity);
}

/** Writes the waiting deletions for a request, which waits for a shorter time than an alarm. */
export async function projectDeletionsForRequest(turn: CollectorTurn, env: CollectorEnv): Promise<void> {
  await projectDeletions(turn, env, databaseFor(env, turn.identity), REQUEST_DEADLINE_MS);
}
