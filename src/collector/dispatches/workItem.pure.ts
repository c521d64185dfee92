import type { WorkItem } from "../calls.ts";
import { attemptsOf, type FileVersions, type OpenVersion } from "../files/versions.pure.ts";

/** Returns an importer's work on one file. `claims`: claims of its dispatch, including this one. Pure. */
export function workItem(file: FileVersions, open: OpenVersion, claims: number): WorkItem {
  const { version, submission } = open;
  const { attempts, steps } = attemptsOf(open);
  return {
    file_id: file.file_id,
    summary_id: file.summary_id,
    version,
    revision: file.revision + claims,
    attempts,
    import_id: open.state === "held" ? null : open.import_id,
    submission,
    edits: file.edits,
    ...(open.state === "held" ? { prefetch: true } : {}),
    look_first: claims > 1 || steps.length > 0,
  };
}
