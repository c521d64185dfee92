import { REPEATED_TASK_WINDOW_MS } from "../../contract/limits.ts";
import {
  addSettledFiles,
  countsOf,
  pendingOf,
  type ImportCounts,
  type SettledCounts,
} from "../../imports/counts.pure.ts";
import type { ImportStatus } from "../../imports/import.ts";
import type { ImportProjection } from "../../imports/write.ts";
import type { CollectorIdentity } from "../identity.ts";

/** Decisions about imports. Pure: the time is an argument. */

/** An import as its collector stores it. Times are in Unix milliseconds. */
export interface ImportState extends ImportCounts {
  import_id: string;
  event_id: string | null;
  is_initial_import: boolean;
  /** The held versions in (after_version, through_version] belong to it. */
  after_version: number;
  through_version: number;
  status: ImportStatus;
  requested_at: number;
  completed_at: number | null;
  /** Last file id that was dispatched. Empty before the first; null when all are dispatched. */
  drained_to: string | null;
  /** Last file id that was skipped after a cancellation. Empty before the first; null when none is left to skip. */
  skipped_to: string | null;
  plan_requested: boolean;
  /** Other sources with held files when a task found no file. Null when unknown, and for an import with files. */
  held_under_other_source: string[] | null;
  revision: number;
  /** Whether its completion, with its event, is in the read model. */
  announced: boolean;
  /** Revision that the read model has. Lower than `revision` while changes wait to be projected. */
  projected_revision: number;
}

/** Fields of a task. */
export interface TaskIdentity {
  import_id: string;
  event_id: string | null;
  is_initial_import: boolean;
  held_under_other_source?: string[] | null;
}

/** Returns the newest import that an equal task started in the last day. Used when a task finds nothing held. */
export function repeatedImport(
  imports: readonly ImportState[],
  task: Pick<TaskIdentity, "event_id" | "is_initial_import">,
  nowMs: number,
): ImportState | null {
  const same = imports.filter(
    (row) =>
      row.event_id === task.event_id &&
      row.is_initial_import === task.is_initial_import &&
      nowMs - row.requested_at < REPEATED_TASK_WINDOW_MS,
  );
  return same.reduce<ImportState | null>(
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
): ImportState {
  return {
    import_id: task.import_id,
    event_id: task.event_id,
    is_initial_import: task.is_initial_import,
    after_version: found.after,
    through_version: found.through,
    ...countsOf({ total: found.held + found.skipped, skipped: found.skipped }),
    status: "running",
    requested_at: found.now,
    completed_at: null,
    drained_to: found.held === 0 ? null : "",
    skipped_to: null,
    plan_requested: false,
    held_under_other_source: found.held + found.skipped === 0 ? (task.held_under_other_source ?? null) : null,
    announced: false,
    revision: 1,
    projected_revision: 0,
  };
}

/** Returns the import with settled files added to its counts. */
export function addSettled(row: ImportState, settled: Partial<SettledCounts>): ImportState {
  return { ...row, ...addSettledFiles(row, settled), revision: row.revision + 1 };
}

/** Returns the import as completed. Null when files are pending, or it was completed earlier. */
export function finishIfSettled(row: ImportState, nowMs: number): ImportState | null {
  if (row.completed_at !== null || pendingOf(row) > 0) return null;
  return {
    ...row,
    status: completedStatus(row),
    completed_at: nowMs,
    revision: row.revision + 1,
  };
}

function completedStatus({ status, failed }: Pick<ImportState, "status" | "failed">): ImportStatus {
  if (status === "cancelled") return status;
  return failed > 0 ? "completed_with_failures" : "completed";
}

/** Returns the import with corrected counts for files whose outcome has changed. It is not announced again. */
export function correctCounts(row: ImportState, difference: Partial<SettledCounts>): ImportState {
  const counted = { ...row, ...addSettledFiles(row, difference) };
  return {
    ...counted,
    status: row.completed_at === null ? row.status : completedStatus(counted),
    revision: row.revision + 1,
  };
}

/** Returns the import as cancelled: no more of its files are dispatched, and those that wait will be skipped. */
export function cancelled(row: ImportState): ImportState {
  return { ...row, status: "cancelled", drained_to: null, skipped_to: "", revision: row.revision + 1 };
}

/** Returns whether an import requests a training plan: an initial one does, once per event id within a day. */
export function planIsDue(imports: readonly ImportState[], finished: ImportState, nowMs: number): boolean {
  return (
    finished.is_initial_import &&
    finished.status !== "cancelled" &&
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

/** Returns whether an import's progress or corrected counts must be projected. The announcement projects completion. */
export function needsProjection(row: ImportState): boolean {
  return row.projected_revision < row.revision && (row.completed_at === null || row.announced);
}

/** Returns the import for the read model. */
export function importProjection(identity: CollectorIdentity, row: ImportState): ImportProjection {
  return {
    import_id: row.import_id,
    user_id: identity.user_id,
    user_hash: identity.user_hash,
    source: identity.source,
    is_initial_import: row.is_initial_import,
    event_id: row.event_id,
    status: row.status,
    ...countsOf(row),
    after_version: row.after_version,
    through_version: row.through_version,
    revision: row.revision,
    requested_at: row.requested_at,
    completed_at: row.completed_at,
    held_under_other_source: row.held_under_other_source,
  };
}
