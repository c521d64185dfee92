import type { WorkItem } from "../calls.ts";
import type { FileVersions, QueuedVersion } from "../files/versions.pure.ts";

/** Returns an importer's work on one file. `claims`: claims of its dispatch, including this one. Pure. */
export function workItem(file: FileVersions, queued: QueuedVersion, claims: number): WorkItem {
  const { version, attempts, import_id, submission, steps } = queued;
  return {
    file_id: file.file_id,
    summary_id: file.summary_id,
    version,
    revision: file.revision + claims,
    attempts,
    import_id,
    submission,
    edits: file.edits,
    look_first: claims > 1 || steps.length > 0,
  };
}
