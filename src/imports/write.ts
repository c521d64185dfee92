import { DATABASE_NOW } from "../sql.ts";

/** An import as its collector knows it, on the way to the read model. */
export interface ImportProjection {
  import_id: string;
  user_id: string;
  user_hash: string;
  source: string;
  is_initial_import: boolean;
  event_id: string | null;
  status: "running" | "completed" | "completed_with_failures";
  total: number;
  imported: number;
  skipped: number;
  failed: number;
  missing_summary_ids: string[] | null;
  after_version: number;
  through_version: number;
  revision: number;
  requested_at: number;
  completed_at: number | null;
}

/** Brings an import to a newer revision; nothing of an erased person comes back. */
export function projectImport(db: D1Database, partnerId: string, row: ImportProjection): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO imports (partner_id, import_id, user_id, source, is_initial_import, event_id, status, total,
         imported, skipped, failed, missing_summary_ids, after_version, through_version, revision, requested_at,
         completed_at, updated_at)
       SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ${DATABASE_NOW}
       WHERE NOT EXISTS (SELECT 1 FROM erased WHERE partner_id = ?1 AND user_hash = ?18 AND before_version >= ?16)
       ON CONFLICT (partner_id, import_id) DO UPDATE SET status = excluded.status, total = excluded.total,
         imported = excluded.imported, skipped = excluded.skipped, failed = excluded.failed,
         revision = excluded.revision, completed_at = excluded.completed_at, updated_at = excluded.updated_at
       WHERE excluded.revision > imports.revision`,
    )
    .bind(
      partnerId,
      row.import_id,
      row.user_id,
      row.source,
      row.is_initial_import ? 1 : 0,
      row.event_id,
      row.status,
      row.total,
      row.imported,
      row.skipped,
      row.failed,
      row.missing_summary_ids === null ? null : JSON.stringify(row.missing_summary_ids),
      row.after_version,
      row.through_version,
      row.revision,
      row.requested_at,
      row.completed_at,
      row.user_hash,
    );
}
