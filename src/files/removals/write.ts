import { DATABASE_NOW, jsonSlices } from "../../database/sql.ts";
import { COLLECTOR_LENGTH, newBatchId, ROUTE_LENGTH } from "../../identifiers.ts";
import { removedElement } from "../batches/listed.pure.ts";
import { batchOf } from "../write.ts";

/** Files to remove, each with all versions up to a bound. */
export interface Removal {
  /** SQL after FROM that selects rows `f` of `files` and ends with conditions. `?1` is the partner's id. */
  from: string;
  /** SQL expression: the version up to which a row's file is removed. */
  bound: string;
  /** Values of `?1`, `?2`, … */
  values: readonly (string | number)[];
}

/** Maximum number of ids in one batch of removals. A page of a list reads whole batches, to sort their ids. */
export const REMOVALS_PER_BATCH = 1_000;

const COLUMNS = "partner_id, user_route, first_file_id, batch_id, updated_at, removed, file_ids";

/**
 * Returns statements that remove files with their activities. Run them in one batch. A file with a later version stays,
 * without what earlier versions stored. What readers of the lists must remove is listed as removals, what they must read
 * again as changes. The partner's usage follows both.
 */
export function removeFiles(db: D1Database, { from, bound, values }: Removal): D1PreparedStatement[] {
  const removals = `?${values.length + 1}`;
  const changes = `?${values.length + 2}`;
  const removedBatch = newBatchId();
  const changedBatch = newBatchId();
  const all = [...values, removedBatch, changedBatch];
  const listed = (removed: "files" | "activities", usage: string, condition: string) =>
    `INSERT INTO file_batches (${COLUMNS}, added_files, added_bytes)
     SELECT ?1, substr(f.file_id, 1, ${ROUTE_LENGTH}), min(f.file_id), ${removals}, ${DATABASE_NOW}, '${removed}',
       json_group_array(${removedElement("0", "f.activity_count")}), ${usage}
     FROM (SELECT f.file_id, f.activity_count, f.stored_bytes,
         (row_number() OVER (ORDER BY f.file_id) - 1) / ${REMOVALS_PER_BATCH} AS slice
       FROM ${from} AND ${condition}) f
     GROUP BY substr(f.file_id, 1, ${COLLECTOR_LENGTH}), slice`;
  const selected = (condition: string) =>
    `partner_id = ?1 AND file_id IN (SELECT f.file_id FROM ${from} AND ${condition})`;
  const isGone = `f.version <= ${bound}`;
  const isChanged = `updated_at = ${DATABASE_NOW}, updated_batch = ${changes}, counted_files = 1,
    counted_bytes = CASE WHEN updated_batch = ${changes} THEN counted_bytes ELSE stored_bytes END`;
  return [
    listed("files", "-count(*), -sum(f.stored_bytes)", isGone),
    listed(
      "activities",
      "0, 0",
      `f.version > ${bound} AND f.stored_version <= ${bound} AND f.activity_count > 0`,
    ),
    `DELETE FROM activities WHERE ${selected(`f.stored_version <= ${bound}`)}`,
    `DELETE FROM files WHERE ${selected(isGone)}`,
    `UPDATE files SET stored_version = NULL, readable_name = NULL, object_key = NULL, sha256 = NULL,
       stored_bytes = stored_bytes - coalesce(size_in_bytes, 0), size_in_bytes = NULL, warnings = '[]',
       activity_count = 0, ${isChanged}
     WHERE ${selected(`f.stored_version <= ${bound}`)}`,
    `UPDATE files SET failed_version = NULL, failed_object_key = NULL,
       sha256 = CASE WHEN object_key IS NOT NULL THEN sha256 END,
       size_in_bytes = CASE WHEN object_key IS NOT NULL THEN size_in_bytes END,
       stored_bytes = CASE WHEN object_key IS NOT NULL THEN coalesce(size_in_bytes, 0) ELSE 0 END, ${isChanged}
     WHERE ${selected(`f.failed_version <= ${bound}`)}`,
    `UPDATE files SET edits = NULL, ${isChanged} WHERE ${selected(`f.edits ->> '$.file_version' <= ${bound}`)}`,
    batchOf(`${from} AND f.updated_batch = ${changes}`, changes),
  ].map((sql) => db.prepare(sql).bind(...all.slice(0, parametersOf(sql))));
}

/** Returns the number of a statement's parameters: the highest that it names. D1 accepts no values beyond them. */
function parametersOf(sql: string): number {
  return Math.max(...Array.from(sql.matchAll(/\?(\d+)/g), ([, number]) => Number(number)));
}

/** A file to delete, with its newest version. */
export interface DeletedFile {
  file_id: string;
  version: number;
}

/**
 * Returns statements that delete files up to a version, forbid later writes about these versions, and discard their
 * objects. Run them in one batch. Repeating them changes nothing.
 */
export function deleteFiles(
  db: D1Database,
  partnerId: string,
  files: readonly DeletedFile[],
): D1PreparedStatement[] {
  const bound = "j.value->>'version'";
  const from = `json_each(?2) j CROSS JOIN files f WHERE f.partner_id = ?1 AND f.file_id = j.value->>'file_id'`;
  return jsonSlices(files).flatMap((slice) => [
    db
      .prepare(
        `INSERT INTO deleted_files (partner_id, file_id, before_version)
         SELECT ?1, j.value->>'file_id', ${bound} FROM json_each(?2) j WHERE true
         ON CONFLICT (partner_id, file_id) DO UPDATE SET before_version = excluded.before_version
         WHERE excluded.before_version > before_version`,
      )
      .bind(partnerId, slice),
    db
      .prepare(
        `INSERT INTO discarded_objects (object_key, discarded_at)
         SELECT old.key, ${DATABASE_NOW} FROM (
           SELECT f.object_key key FROM ${from} AND f.stored_version <= ${bound}
           UNION ALL SELECT f.failed_object_key FROM ${from} AND f.failed_version <= ${bound}) old
         WHERE old.key IS NOT NULL ON CONFLICT (object_key) DO NOTHING`,
      )
      .bind(partnerId, slice),
    ...removeFiles(db, { from, bound, values: [partnerId, slice] }),
  ]);
}

/**
 * Returns the statement that lists the activities that files of a batch are about to lose: sessions beyond those of the
 * new version. `fileIds` is a JSON array. Run it before these activities are deleted.
 */
export function listLeftOut(
  db: D1Database,
  partnerId: string,
  fileIds: string,
  batchId: string,
): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO file_batches (${COLUMNS})
       SELECT ?1, substr(f.file_id, 1, ${ROUTE_LENGTH}), min(f.file_id), ?4, ${DATABASE_NOW}, 'activities',
         json_group_array(${removedElement("f.activity_count", "f.last + 1")})
       FROM (SELECT f.file_id, f.activity_count, max(a.session_index) last FROM json_each(?2) j
         CROSS JOIN files f ON f.partner_id = ?1 AND f.file_id = j.value AND f.updated_batch = ?3
         CROSS JOIN activities a ON a.partner_id = ?1 AND a.file_id = f.file_id AND a.session_index >= f.activity_count
         GROUP BY f.file_id) f
       GROUP BY substr(f.file_id, 1, ${COLLECTOR_LENGTH})`,
    )
    .bind(partnerId, fileIds, batchId, newBatchId());
}

/** Deletes at most `limit` bounds of deleted files up to this version (Unix milliseconds), oldest first. Returns how many. */
export async function deleteExpiredDeletions(
  db: D1Database,
  throughMs: number,
  limit: number,
): Promise<number> {
  const { meta } = await db
    .prepare(
      `DELETE FROM deleted_files WHERE (partner_id, file_id) IN (
         SELECT partner_id, file_id FROM deleted_files WHERE before_version <= ?
         ORDER BY before_version LIMIT ?)`,
    )
    .bind(throughMs, limit)
    .run();
  return meta.changes;
}
