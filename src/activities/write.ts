import type { DecodedActivity } from "../fit/types.ts";
import { jsonSlices } from "../database/sql.ts";

/** The activities of one imported file, in the order of its sessions. */
export interface ImportedActivities {
  file_id: string;
  version: number;
  user_id: string;
  source: string;
  summary_id: string;
  activity_name: string | null;
  activities: readonly DecodedActivity[];
}

/**
 * Returns statements that replace the activities of files. Run them in one transaction, after the statements that write
 * the files under this batch. They change only files of that batch, and delete all activities of the older version.
 */
export function replaceActivities(
  db: D1Database,
  partnerId: string,
  files: readonly ImportedActivities[],
  batchId: string,
): D1PreparedStatement[] {
  const upserts = jsonSlices(files.flatMap(rowsOf)).map((slice) =>
    db
      .prepare(
        `INSERT INTO activities (partner_id, file_id, session_index, version, user_id, source, summary_id,
           activity_name, sport, start_time_in_seconds, summary, details, created_at, updated_at, updated_batch)
         SELECT ?1, j.value->>'file_id', j.value->>'session_index', j.value->>'version', j.value->>'user_id',
           j.value->>'source', j.value->>'summary_id', j.value->>'activity_name', j.value->>'sport',
           j.value->>'start_time_in_seconds', j.value->>'summary', j.value->>'details',
           f.updated_at, f.updated_at, f.updated_batch
         FROM json_each(?2) j
         CROSS JOIN files f ON f.partner_id = ?1 AND f.file_id = j.value->>'file_id' AND f.updated_batch = ?3
         WHERE true
         ON CONFLICT (partner_id, file_id, session_index) DO UPDATE SET version = excluded.version,
           activity_name = excluded.activity_name, sport = excluded.sport,
           start_time_in_seconds = excluded.start_time_in_seconds, summary = excluded.summary,
           details = excluded.details, updated_at = excluded.updated_at, updated_batch = excluded.updated_batch`,
      )
      .bind(partnerId, slice, batchId),
  );
  const leftovers = jsonSlices(files.map((file) => file.file_id)).map((slice) =>
    db
      .prepare(
        `DELETE FROM activities WHERE partner_id = ?1 AND (file_id, session_index) IN (
           SELECT a.file_id, a.session_index FROM json_each(?2) j
           CROSS JOIN files f ON f.partner_id = ?1 AND f.file_id = j.value AND f.updated_batch = ?3
           CROSS JOIN activities a ON a.partner_id = ?1 AND a.file_id = f.file_id AND a.updated_batch IS NOT ?3)`,
      )
      .bind(partnerId, slice, batchId),
  );
  return [...upserts, ...leftovers];
}

/** Returns a row for each activity of a file. */
function rowsOf(file: ImportedActivities) {
  return file.activities.map(({ laps, lengths, devices, ...summary }) => ({
    file_id: file.file_id,
    session_index: summary.session_index,
    version: file.version,
    user_id: file.user_id,
    source: file.source,
    summary_id: file.summary_id,
    activity_name: file.activity_name,
    sport: summary.sport,
    start_time_in_seconds: summary.start_time_in_seconds,
    summary: JSON.stringify(summary),
    details: JSON.stringify({ laps, lengths, devices }),
  }));
}
