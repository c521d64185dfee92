import { retryDispatches, SEND_GRACE_MS, type Dispatch } from "../dispatches/dispatch.pure.ts";
import type { CollectorTurn } from "../turn.ts";
import { newestOf, retry, type FileVersions } from "./versions.pure.ts";

/** Failed files to retry: those named, or all of an import. */
export type FailedFiles = { file_ids: string[] } | { import_id: string };

/** Queues failed files again, from their stored bytes or their kept URL. Returns those that could be retried. */
export function retryFiles(
  turn: CollectorTurn,
  which: FailedFiles,
): { retried: FileVersions[]; dispatches: Dispatch[] } {
  const { storage, now } = turn;
  const failed =
    "import_id" in which
      ? storage.files.failuresOf(which.import_id, Number.MAX_SAFE_INTEGER)
      : [...storage.files.read(which.file_ids).values()];
  const retried = failed.flatMap((before) => {
    const after = retry(before, now);
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
