import { notErased } from "../erasure/guard.ts";
import { DATABASE_NOW, jsonSlices } from "../database/sql.ts";
import { IMPORT_COUNTS, type ImportCounts } from "./counts.pure.ts";
import type { ImportStatus } from "./import.ts";

/** State of an import that its collector writes to the read model. */
export interface ImportProjection extends ImportCounts {
  import_id: string;
  user_id: string;
  user_hash: string;
  source: string;
  is_initial_import: boolean;
  event_id: string | null;
  status: ImportStatus;
  after_version: number;
  through_version: number;
  revision: number;
  requested_at: number;
  completed_at: number | null;
  /** Other sources with held files when a task found no file. Null when unknown. Absent in calls from older code. */
  held_under_other_source?: string[] | null;
}

const COUNTS = IMPORT_COUNTS.map((count) => `j.value->>'${count}'`).join(", ");
const UPDATED_COUNTS = IMPORT_COUNTS.map((count) => `${count} = excluded.${count}`).join(", ");

/** Returns statements that write newer revisions of imports. They write nothing for an erased user. */
export function projectImports(
  db: D1Database,
  partnerId: string,
  rows: readonly ImportProjection[],
): D1PreparedStatement[] {
  return jsonSlices(rows).map((slice) =>
    db
      .prepare(
        `INSERT INTO imports (partner_id, import_id, user_id, source, is_initial_import, event_id, status,
           after_version, through_version, revision, requested_at, completed_at, held_under_other_source,
           updated_at, ${IMPORT_COUNTS.join(", ")})
         SELECT ?1, j.value->>'import_id', j.value->>'user_id', j.value->>'source', j.value->>'is_initial_import',
           j.value->>'event_id', j.value->>'status', j.value->>'after_version', j.value->>'through_version',
           j.value->>'revision', j.value->>'requested_at', j.value->>'completed_at',
           j.value->>'held_under_other_source', ${DATABASE_NOW}, ${COUNTS}
         FROM json_each(?2) j WHERE ${notErased("j.value->>'user_hash'", "j.value->>'requested_at'")}
         ON CONFLICT (partner_id, import_id) DO UPDATE SET status = excluded.status,
           revision = excluded.revision, completed_at = excluded.completed_at, updated_at = excluded.updated_at,
           ${UPDATED_COUNTS}
         WHERE excluded.revision > imports.revision`,
      )
      .bind(partnerId, slice),
  );
}

/** Maximum number of characters of missing ids that are stored for a partner's imports: 200 full lists, or millions of short ones. */
export const MISSING_CHARACTERS = 100_000_000;

/**
 * Returns statements that replace an import's list of expected files that were never pinged. They store nothing without
 * the import's row, so write it before, in the same batch. They store no list above `MISSING_CHARACTERS`.
 */
export function replaceMissing(
  db: D1Database,
  partnerId: string,
  importId: string,
  summaryIds: readonly string[],
): D1PreparedStatement[] {
  const slices = summaryIds.length === 0 ? ["[]"] : jsonSlices(summaryIds);
  return [
    db.prepare("DELETE FROM import_missing WHERE partner_id = ? AND import_id = ?").bind(partnerId, importId),
    ...slices.map((slice, index) =>
      db
        .prepare(
          `INSERT INTO import_missing (partner_id, import_id, slice, summary_ids, created_at)
           SELECT ?1, ?2, ?3, ?4, ${DATABASE_NOW} FROM imports WHERE partner_id = ?1 AND import_id = ?2
             AND length(?4) + coalesce(
               (SELECT missing_bytes FROM partner_usage WHERE partner_id = ?1), 0) <= ${MISSING_CHARACTERS}`,
        )
        .bind(partnerId, importId, index, slice),
    ),
  ];
}

/** Deletes at most `limit` slices of missing ids from before the instant, oldest first. Returns how many. */
export async function deleteOldMissing(db: D1Database, beforeMs: number, limit: number): Promise<number> {
  const deleted = await db
    .prepare(
      `DELETE FROM import_missing WHERE (partner_id, import_id, slice) IN (
         SELECT partner_id, import_id, slice FROM import_missing WHERE created_at < ? ORDER BY created_at LIMIT ?)
       RETURNING slice`,
    )
    .bind(beforeMs, limit)
    .all();
  return deleted.results.length;
}
