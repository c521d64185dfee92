import type { WorkItem } from "./calls.ts";
import type { RowInFlight } from "./settle.ts";

/** What an importer is told of a file; `claims` counts those of its dispatch, with this one. Pure. */
export function workItem(row: RowInFlight, claims: number): WorkItem {
  const { version, attempts, import_id, submission, retried } = row.current;
  return {
    file_id: row.file_id,
    summary_id: row.summary_id,
    version,
    revision: row.revision + claims,
    attempts,
    import_id,
    submission,
    look_first: claims > 1 || attempts > 0 || retried === true,
  };
}
