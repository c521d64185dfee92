import { versionKey } from "../files/objectKeys.ts";
import type { FileProjection, FileState } from "../files/write.ts";
import { userHash } from "../identifiers.ts";
import type { ImportProjection } from "../imports/write.ts";
import { newestOf, type LedgerRow } from "./ledger.ts";
import type { ImportRow } from "./storage.ts";

/** Whose files a collector holds. */
export interface Owner {
  partner_id: string;
  user_id: string;
  user_hash: string;
  source: string;
}

export function ownerOf(names: { partner_id: string; user_id: string; source: string }): Owner {
  const { partner_id, user_id, source } = names;
  return { partner_id, user_id, user_hash: userHash(partner_id, user_id), source };
}

/** What the read model should say of a file: its newest version's state. */
export function projectionOf(owner: Owner, row: LedgerRow): FileProjection | null {
  const state = stateOf(row);
  if (state === null) return null;
  const { user_id, user_hash, source } = owner;
  return { file_id: row.file_id, user_id, user_hash, source, summary_id: row.summary_id, ...state };
}

/** The same without the names, for those who know them. */
export function stateOf(row: LedgerRow): FileState | null {
  const newest = newestOf(row);
  if (newest === null) return null;
  const current = row.held === null ? row.current : null;
  const { submission } = newest;
  return {
    activity_name: submission.activity_name,
    priority: submission.priority,
    overwrite_mode: submission.overwrite_mode,
    start_time_in_seconds: submission.start_time_in_seconds,
    status: current?.state ?? "held",
    attempts: current?.attempts ?? 0,
    import_id: current?.import_id ?? null,
    error: current?.fault ?? null,
    version: newest.version,
    revision: row.revision,
    received_at: submission.received_at,
    failed_object: current?.state === "failed" ? current.failed_object : null,
  };
}

export function importProjection(owner: Owner, row: ImportRow): ImportProjection {
  return {
    import_id: row.import_id,
    user_id: owner.user_id,
    user_hash: owner.user_hash,
    source: owner.source,
    is_initial_import: row.is_initial_import,
    event_id: row.event_id,
    status: row.status,
    total: row.total,
    imported: row.imported,
    skipped: row.skipped,
    failed: row.failed,
    after_version: row.after_version,
    through_version: row.through_version,
    revision: row.revision,
    requested_at: row.requested_at,
    completed_at: row.completed_at,
  };
}

/** Objects that the ledger named before and names no more; the read model may still read from one. */
export function objectsLeftBehind(owner: Owner, before: LedgerRow | null, after: LedgerRow): string[] {
  const kept = new Set(objectsNamed(owner, after));
  return before === null ? [] : objectsNamed(owner, before).filter((key) => !kept.has(key));
}

/** Where bytes of a version to come, in flight or failed lie, or may lie; an imported one's are the read model's. */
function objectsNamed(owner: Owner, { file_id, held, current }: LedgerRow): string[] {
  const keys: (string | null | undefined)[] = [held?.submission.object_key];
  if (current !== null && current.state !== "imported") {
    keys.push(current.submission.object_key, current.failed_object?.key);
    if (current.submission.callback_url !== null) {
      keys.push(versionKey(owner.partner_id, owner.user_id, file_id, current.version));
    }
  }
  return [...new Set(keys.filter((key) => key != null))];
}
