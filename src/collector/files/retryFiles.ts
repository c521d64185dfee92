import { retryDispatches, SEND_GRACE_MS, type Dispatch } from "../dispatches/dispatch.pure.ts";
import type { CollectorStorage } from "../storage/storage.ts";
import type { CollectorTurn } from "../turn.ts";
import { newestOf, retry, retryableAt, type FileVersions, type RetriedBy } from "./versions.pure.ts";

/** Failed files to retry: a list of files, or all of an import. Callers that run older code do not say who retries them. */
export type FailedFiles = ({ file_ids: string[] } | { import_id: string }) & { by?: RetriedBy };

/** Result that a retry would have now. */
export interface RetryPreview {
  /** Number of files that it would queue. */
  files: number;
  /** When the first of the files can be retried, in Unix milliseconds. Null when none can ever be retried. */
  retryable_at: number | null;
}

const byOf = ({ by = "operator" }: FailedFiles): RetriedBy => by;

function candidates(storage: CollectorStorage, which: FailedFiles, limit: number): FileVersions[] {
  return "import_id" in which
    ? storage.files.retryableOf(which.import_id, byOf(which), limit)
    : [...storage.files.read(which.file_ids.slice(0, limit)).values()];
}

/** Counts the failed files that a retry of at most `limit` files would queue now. */
export function previewRetry(
  storage: CollectorStorage,
  which: FailedFiles,
  limit: number,
  nowMs: number,
): RetryPreview {
  const times = candidates(storage, which, limit).flatMap((file) => retryableAt(file, byOf(which)) ?? []);
  return {
    files: times.filter((at) => at <= nowMs).length,
    retryable_at: times.length === 0 ? null : Math.min(...times),
  };
}

/** Queues at most `limit` failed files again, with their stored bytes or kept URL. Returns the queued files. */
export function retryFiles(
  turn: CollectorTurn,
  which: FailedFiles,
  limit: number,
): { retried: FileVersions[]; dispatches: Dispatch[] } {
  const { storage, now } = turn;
  const retried = candidates(storage, which, limit).flatMap((before) => {
    const after = retry(before, byOf(which), now);
    return after === before ? [] : [after];
  });
  storage.files.write(retried);
  const dispatches = retryDispatches(
    turn,
    retried.map((file) => ({ file_id: file.file_id, version: newestOf(file).version })),
    now + SEND_GRACE_MS,
  );
  storage.dispatches.write(dispatches);
  if (retried.length > 0) {
    storage.outbox.add([{ kind: "project_files", file_ids: retried.map((file) => file.file_id) }]);
    turn.alarmBy(now);
  }
  return { retried, dispatches };
}
