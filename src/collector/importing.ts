import { REPEATED_TASK_WINDOW_MS } from "./ages.ts";
import type { ImportRow } from "./storage.ts";

/** Decisions about imports. Pure: the time is an argument. */

export interface Counts {
  imported: number;
  skipped: number;
  failed: number;
}

export interface TaskIdentity {
  import_id: string;
  event_id: string | null;
  is_initial_import: boolean;
}

/** The import that a task asked for already, when it finds nothing newly held. */
export function repeatedImport(
  imports: readonly ImportRow[],
  task: Pick<TaskIdentity, "event_id" | "is_initial_import">,
  nowMs: number,
): ImportRow | null {
  const same = imports.filter(
    (row) =>
      row.event_id === task.event_id &&
      row.is_initial_import === task.is_initial_import &&
      nowMs - row.requested_at < REPEATED_TASK_WINDOW_MS,
  );
  return same.reduce<ImportRow | null>(
    (newest, row) => (newest === null || row.requested_at > newest.requested_at ? row : newest),
    null,
  );
}

export function newImport(
  task: TaskIdentity,
  found: {
    held: number;
    skipped: number;
    after: number;
    through: number;
    now: number;
  },
): ImportRow {
  return {
    import_id: task.import_id,
    event_id: task.event_id,
    is_initial_import: task.is_initial_import,
    after_version: found.after,
    through_version: found.through,
    total: found.held + found.skipped,
    imported: 0,
    skipped: found.skipped,
    failed: 0,
    status: "running",
    requested_at: found.now,
    completed_at: null,
    drained_to: found.held === 0 ? null : "",
    plan_requested: false,
    announced: false,
    revision: 1,
    projected_revision: 0,
  };
}

/** The import as completed, if this is the moment; null when files are pending or it was completed before. */
export function finishIfSettled(row: ImportRow, nowMs: number): ImportRow | null {
  if (row.completed_at !== null || row.imported + row.skipped + row.failed < row.total) return null;
  return {
    ...row,
    status: row.failed > 0 ? "completed_with_failures" : "completed",
    completed_at: nowMs,
    revision: row.revision + 1,
  };
}

/** Failures that a retry has imported: the counts follow, and nothing that was announced is announced again. */
export function mended(row: ImportRow, files: number): ImportRow {
  const failed = row.failed - files;
  const completed = failed > 0 ? "completed_with_failures" : "completed";
  return {
    ...row,
    imported: row.imported + files,
    failed,
    status: row.completed_at === null ? row.status : completed,
    revision: row.revision + 1,
  };
}

/** An initial import asks for one training plan; at most one goes out per event id within a day. */
export function planIsDue(imports: readonly ImportRow[], finished: ImportRow, nowMs: number): boolean {
  return (
    finished.is_initial_import &&
    !imports.some(
      (row) =>
        row.import_id !== finished.import_id &&
        row.plan_requested &&
        row.event_id === finished.event_id &&
        row.completed_at !== null &&
        nowMs - row.completed_at < REPEATED_TASK_WINDOW_MS,
    )
  );
}

/** Progress, or a failure mended by a retry; the completion itself is told by the announcement. */
export function hasNews(row: ImportRow): boolean {
  return row.projected_revision < row.revision && (row.completed_at === null || row.announced);
}
