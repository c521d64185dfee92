import { MAX_RETRIED_FILES } from "../contract/limits.ts";
import { collectorOfId, type Collector } from "../collector/client.ts";
import type { RetriedBy } from "../collector/files/versions.pure.ts";
import type { Env } from "../env.ts";

/** A failed file, or all failed files of an import. */
export type FailedFiles = ({ file_id: string } | { import_id: string }) & { by: RetriedBy };

function locate(env: Env, partnerId: string, which: FailedFiles) {
  const { by } = which;
  return "file_id" in which
    ? { collector: collectorOfId(env, partnerId, which.file_id), files: { file_ids: [which.file_id], by } }
    : { collector: collectorOfId(env, partnerId, which.import_id), files: which };
}

/** Counts the files that a retry would queue now. Throws when the collector cannot be reached. */
export async function previewRetry(
  env: Env,
  partnerId: string,
  which: FailedFiles,
): Promise<Awaited<ReturnType<Collector["previewRetry"]>>> {
  const { collector, files } = locate(env, partnerId, which);
  return collector.previewRetry(files, MAX_RETRIED_FILES);
}

/**
 * Queues a failed file again, or at most `limit` failed files of an import. Returns how many were queued. Files that have
 * neither stored bytes nor a URL are skipped, and for a partner those whose error is not retryable. The collector's outbox projects them. Throws when the collector cannot be
 * reached.
 */
export async function retryFiles(
  env: Env,
  partnerId: string,
  which: FailedFiles,
  limit: number,
): Promise<number> {
  const { collector, files } = locate(env, partnerId, which);
  return collector.retry(files, limit);
}
