import { collectorOfId } from "../collector/client.ts";
import type { Env } from "../env.ts";

/**
 * Queues a failed file once more, or all of an import's. Returns how many; files with neither bytes nor a URL left are
 * skipped. The collector's outbox projects them. Throws when the collector cannot be reached.
 */
export async function retryFiles(
  env: Env,
  partnerId: string,
  which: { file_id: string } | { import_id: string },
): Promise<number> {
  return "file_id" in which
    ? collectorOfId(env, partnerId, which.file_id).retry({ file_ids: [which.file_id] })
    : collectorOfId(env, partnerId, which.import_id).retry(which);
}
