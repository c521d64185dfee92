import type { DecodedActivity } from "../fit/types.ts";
import { jsonSlices } from "../database/sql.ts";
import { listLeftOut } from "../files/removals/write.ts";
import { storedSummary } from "./storedSummary.pure.ts";

/** The activities of one imported file, in the order of its sessions. */
export interface ImportedActivities {
  file_id: string;
  version: number;
  activities: readonly DecodedActivity[];
}

/**
 * Returns statements that replace the activities of files. Run them in one transaction, after the statements that write
 * the files under this batch. They change only files of that batch, list sessions that the new version lacks as removals, and delete them.
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
        `INSERT INTO activities (partner_id, file_id, session_index, version, sport, start_time_in_seconds, summary,
           created_at)
         SELECT ?1, j.value->>'file_id', j.value->>'session_index', j.value->>'version', j.value->>'sport',
           j.value->>'start_time_in_seconds', j.value->>'summary', f.updated_at
         FROM json_each(?2) j
         CROSS JOIN files f ON f.partner_id = ?1 AND f.file_id = j.value->>'file_id' AND f.updated_batch = ?3
         WHERE true
         ON CONFLICT (partner_id, file_id, session_index) DO UPDATE SET version = excluded.version,
           sport = excluded.sport, start_time_in_seconds = excluded.start_time_in_seconds, summary = excluded.summary`,
      )
      .bind(partnerId, slice, batchId),
  );
  const leftovers = jsonSlices(files.map((file) => file.file_id)).flatMap((slice) => [
    listLeftOut(db, partnerId, slice, batchId),
    db
      .prepare(
        `DELETE FROM activities WHERE partner_id = ?1 AND (file_id, session_index) IN (
           SELECT a.file_id, a.session_index FROM json_each(?2) j
           CROSS JOIN files f ON f.partner_id = ?1 AND f.file_id = j.value AND f.updated_batch = ?3
           CROSS JOIN activities a ON a.partner_id = ?1 AND a.file_id = f.file_id
             AND a.session_index >= f.activity_count)`,
      )
      .bind(partnerId, slice, batchId),
  ]);
  return [...upserts, ...leftovers];
}

/** Returns a row for each activity of a file. */
function rowsOf({ file_id, version, activities }: ImportedActivities) {
  return activities.map((activity) => ({
    file_id,
    version,
    session_index: activity.session_index,
    sport: activity.sport,
    start_time_in_seconds: activity.start_time_in_seconds,
    summary: storedSummary(activity),
  }));
}
