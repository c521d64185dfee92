import { collectorFor } from "../collector/client.ts";
import { databaseFor } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { faultName, logLine } from "../log.ts";
import { projectFiles, type FileProjection } from "./write.ts";

/**
 * Queues failed files of one user and source once more: those named, or all of an import. Answers how many; those
 * with neither bytes nor a URL left are passed over. Throws when the collector cannot be reached.
 */
export async function retryFiles(
  env: Env,
  partnerId: string,
  owner: { user_id: string; source: string },
  which: { file_ids: string[] } | { import_id: string },
): Promise<number> {
  const { user_id, source } = owner;
  const collector = collectorFor(env, { partner_id: partnerId, user_id, source });
  const queued: FileProjection[] = await collector.retry(which);
  if (queued.length === 0) return 0;
  const database = databaseFor(env, partnerId);
  try {
    await database.batch(projectFiles(database, partnerId, queued));
  } catch (fault) {
    // The collector's outbox holds the same.
    logLine({ unit: "setback", outcome: "projected_later", partner_id: partnerId, fault: faultName(fault) });
  }
  return queued.length;
}
