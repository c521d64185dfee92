import { notErased } from "../erasure/guard.ts";
import type { FileEdits } from "./edits.pure.ts";
import type { FileError, FileStatus, StoredObject } from "./file.ts";
import { PING_FIELDS, type PingFields } from "./pingFields.pure.ts";
import { newBatchId, COLLECTOR_LENGTH, ROUTE_LENGTH } from "../identifiers.ts";
import { chunksOf } from "../concurrency/chunksOf.ts";
import { notDeleted } from "./removals/guard.ts";
import { DATABASE_NOW, jsonSlices } from "../database/sql.ts";

/** State of a file's newest version, as its collector writes it to the read model. */
export interface FileState extends PingFields {
  status: FileStatus;
  attempts: number;
  import_id: string | null;
  /** The error of a failed version, or the last error of a queued one. */
  error: FileError | null;
  /** When a queued version is tried again after that error, in Unix milliseconds. */
  next_attempt_at: number | null;
  version: number;
  revision: number;
  received_at: number;
  /** Stored bytes of the newest version when it failed. */
  failed_object: StoredObject | null;
  /** The partner's edits, of all versions. */
  edits: FileEdits | null;
}

/** A file with its names and its newest version's state. */
export interface FileProjection extends FileState {
  file_id: string;
  user_id: string;
  user_hash: string;
  source: string;
  summary_id: string;
}

/** A file whose activities are decoded. It replaces the readable version. */
export interface ImportedFile extends FileProjection {
  status: "imported";
  object_key: string;
  sha256: string;
  size_in_bytes: number;
  warnings: readonly string[];
  activity_count: number;
  decoder_version: number;
}

/** Returns the SQL condition that no erasure of the user and no deletion of the file covers the version. */
const notRemoved = (version: string) =>
  `${notErased("j.value->>'user_hash'", version)} AND ${notDeleted("j.value->>'file_id'", version)}`;
const NOT_REMOVED = notRemoved("j.value->>'version'");

/** Columns of the newest version. An older version that settles late leaves them unchanged. */
const PING_COLUMNS = [
  ...PING_FIELDS,
  "status",
  "attempts",
  "import_id",
  "error",
  "next_attempt_at",
  "received_at",
] as const satisfies (keyof FileState)[];

/** SQL condition: an upsert has an outcome that the row does not have. A repeated failure has more attempts. */
const IS_OUTCOME = `excluded.outcome_batch IS NOT NULL AND (excluded.outcome_failed = 0 OR excluded.version > files.version
  OR (excluded.version = files.version AND (files.status <> 'failed' OR files.attempts <> excluded.attempts)))`;

/** SQL condition: an upsert has edits that the row does not have. */
const HAS_EDITS = "coalesce(excluded.edits ->> '$.version', 0) > coalesce(files.edits ->> '$.version', 0)";

/** SET clause for an existing row: keep the newest version's ping fields and record batch `?3`. */
const KEEP_NEWEST = `${PING_COLUMNS.map(
  (column) =>
    `${column} = CASE WHEN excluded.version >= files.version THEN excluded.${column} ELSE files.${column} END`,
).join(", ")},
  edits = CASE WHEN ${HAS_EDITS} THEN excluded.edits ELSE files.edits END,
  edited_batch = CASE WHEN ${HAS_EDITS} AND files.stored_version IS NOT NULL
    THEN excluded.updated_batch ELSE files.edited_batch END,
  version = max(excluded.version, files.version), revision = max(excluded.revision, files.revision),
  updated_at = excluded.updated_at, updated_batch = excluded.updated_batch,
  outcome_batch = CASE WHEN ${IS_OUTCOME} THEN excluded.outcome_batch ELSE files.outcome_batch END,
  outcome_failed = CASE WHEN ${IS_OUTCOME} THEN excluded.outcome_failed ELSE files.outcome_failed END,
  outcome_live = CASE WHEN ${IS_OUTCOME} THEN excluded.outcome_live ELSE files.outcome_live END,
  counted_files = 1, counted_bytes = files.stored_bytes,
  received_batch = CASE WHEN excluded.version >= files.version AND excluded.received_at <> files.received_at
    THEN excluded.received_batch ELSE files.received_batch END`;

/** SQL condition: an upsert has a newer revision, or a version that the row does not know. */
const IS_NEWS = "excluded.revision > files.revision OR excluded.version > files.version";

const SHARED_COLUMNS = `partner_id, file_id, user_id, source, summary_id, ${PING_COLUMNS.join(", ")}, version, revision,
  edits, outcome_batch, outcome_failed, outcome_live, updated_at, updated_batch, received_batch`;

const SHARED_VALUES = `?1, j.value->>'file_id', j.value->>'user_id', j.value->>'source', j.value->>'summary_id',
  ${PING_COLUMNS.map((column) => `j.value->>'${column}'`).join(", ")},
  j.value->>'version', j.value->>'revision', j.value->>'edits',
  CASE WHEN j.value->>'status' = 'failed' OR j.value->>'object_key' IS NOT NULL THEN ?3 END,
  j.value->>'status' = 'failed', j.value->>'priority' > 0,
  ${DATABASE_NOW}, ?3, ?3`;

/**
 * Returns the statement that lists the files written under a batch, and counts what it adds to the partner's usage. Run
 * it right after those that write them. `files` is a JSON array of objects with a `file_id`.
 */
export function listBatch(
  db: D1Database,
  partnerId: string,
  files: string,
  batchId: string,
): D1PreparedStatement {
  const listed = `(SELECT DISTINCT value->>'file_id' file_id FROM json_each(?2)) j
    CROSS JOIN files f ON f.partner_id = ?1 AND f.file_id = j.file_id WHERE f.updated_batch = ?3`;
  return db.prepare(batchOf(listed, "?3")).bind(partnerId, files, batchId);
}

/** Returns SQL that lists files `f` under the batch that they name. `from` follows FROM, and ends with conditions. */
export function batchOf(from: string, batchId: string): string {
  return `INSERT INTO file_batches (partner_id, user_route, first_file_id, batch_id, received_at, updated_at, file_ids,
      outcomes, added_files, added_bytes, imported, failed)
    SELECT ?1, substr(f.file_id, 1, ${ROUTE_LENGTH}), min(f.file_id), ${batchId},
      CASE WHEN f.received_batch = ${batchId} THEN f.received_at END received, max(f.updated_at),
      json_group_array(substr(f.file_id, ${COLLECTOR_LENGTH + 1})),
      max(CASE ${batchId} WHEN f.outcome_batch THEN 1 + f.outcome_live
        WHEN f.edited_batch THEN 1 + (f.priority > 0) ELSE 0 END),
      sum(1 - f.counted_files), sum(f.stored_bytes - f.counted_bytes),
      count(CASE WHEN f.outcome_batch = ${batchId} AND f.outcome_failed = 0 THEN 1 END),
      count(CASE WHEN f.outcome_batch = ${batchId} AND f.outcome_failed = 1 THEN 1 END)
    FROM ${from}
    GROUP BY substr(f.file_id, 1, ${COLLECTOR_LENGTH}), received
    ON CONFLICT (partner_id, user_route, updated_at, first_file_id, batch_id) DO NOTHING`;
}

/**
 * Returns statements that write newer revisions of files, and versions that their rows do not know: an older version may
 * have been imported before its successor is written. Other rows stay unchanged. Run the statements in one batch.
 */
export function projectFiles(
  db: D1Database,
  partnerId: string,
  files: readonly FileProjection[],
): D1PreparedStatement[] {
  const failed = files.filter((file) => file.failed_object !== null);
  const discards = jsonSlices(failed).map((slice) =>
    db
      .prepare(
        `INSERT INTO discarded_objects (object_key, discarded_at)
         SELECT f.failed_object_key, ${DATABASE_NOW} FROM json_each(?2) j
         CROSS JOIN files f ON f.partner_id = ?1 AND f.file_id = j.value->>'file_id'
         WHERE f.revision < j.value->>'revision' AND f.failed_object_key <> j.value->>'$.failed_object.key'
         ON CONFLICT (object_key) DO NOTHING`,
      )
      .bind(partnerId, slice),
  );
  const batchId = newBatchId();
  const upserts = jsonSlices(files).flatMap((slice) => [
    db
      .prepare(
        `INSERT INTO files (${SHARED_COLUMNS}, failed_object_key, failed_version, sha256, size_in_bytes,
           stored_bytes)
         SELECT ${SHARED_VALUES}, j.value->>'$.failed_object.key',
           CASE WHEN j.value->>'$.failed_object.key' IS NOT NULL THEN j.value->>'version' END,
           j.value->>'$.failed_object.sha256',
           j.value->>'$.failed_object.size_in_bytes', coalesce(j.value->>'$.failed_object.size_in_bytes', 0)
         FROM json_each(?2) j WHERE ${NOT_REMOVED}
         ON CONFLICT (partner_id, file_id) DO UPDATE SET ${KEEP_NEWEST},
           failed_object_key = coalesce(excluded.failed_object_key, files.failed_object_key),
           failed_version = coalesce(excluded.failed_version, files.failed_version),
           stored_bytes = CASE WHEN excluded.failed_object_key IS NULL THEN files.stored_bytes
             WHEN files.object_key IS NULL THEN excluded.stored_bytes
             ELSE coalesce(files.size_in_bytes, 0) + excluded.stored_bytes END,
           sha256 = CASE WHEN files.object_key IS NULL THEN coalesce(excluded.sha256, files.sha256) ELSE files.sha256 END,
           size_in_bytes = CASE WHEN files.object_key IS NULL
             THEN coalesce(excluded.size_in_bytes, files.size_in_bytes) ELSE files.size_in_bytes END
         WHERE ${IS_NEWS}`,
      )
      .bind(partnerId, slice, batchId),
    listBatch(db, partnerId, slice, batchId),
  ]);
  return [...discards, ...upserts];
}

/** Maximum number of files in one statement of `projectEdits`: the statement reads the list once for each file. */
const EDITED_FILES = 100;

/** A file with edits that its row may not have. */
export type EditedFile = Pick<FileProjection, "file_id" | "user_hash" | "edits">;

/**
 * Returns statements that write newer edits to the rows of files. The revision of a row does not matter: edits are not
 * part of a version. Skips files without a row, which the statement that inserts the row gives their edits.
 */
export function projectEdits(
  db: D1Database,
  partnerId: string,
  files: readonly EditedFile[],
): D1PreparedStatement[] {
  const rows = files.flatMap(({ file_id, user_hash, edits }) =>
    edits === null ? [] : { file_id, user_hash, edits },
  );
  return chunksOf(rows, EDITED_FILES)
    .flatMap(jsonSlices)
    .flatMap((slice) => {
      const batchId = newBatchId();
      return [
        db
          .prepare(
            `UPDATE files SET edits = (SELECT j.value->>'edits' FROM json_each(?2) j
               WHERE j.value->>'file_id' = files.file_id),
             edited_batch = CASE WHEN stored_version IS NULL THEN edited_batch ELSE ?3 END,
             updated_at = ${DATABASE_NOW}, updated_batch = ?3, counted_files = 1, counted_bytes = stored_bytes
           WHERE partner_id = ?1 AND file_id IN (
             SELECT f.file_id FROM json_each(?2) j
             CROSS JOIN files f ON f.partner_id = ?1 AND f.file_id = j.value->>'file_id'
               AND coalesce(f.edits ->> '$.version', 0) < j.value->>'$.edits.version'
             WHERE ${notRemoved("j.value->>'$.edits.file_version'")})`,
          )
          .bind(partnerId, slice, batchId),
        listBatch(db, partnerId, slice, batchId),
      ];
    });
}

/**
 * Returns the SQL condition for an imported version to become the readable one. It does with a higher revision. While a
 * newer version is held, it also does if it is newer than the readable one. Once a newer version is dispatched, an older
 * one does not.
 */
function takesOver(row: string, incoming: (column: string) => string): string {
  return `(${row}.revision < ${incoming("revision")} OR (${row}.status = 'held'
    AND ${row}.version > ${incoming("version")} AND coalesce(${row}.stored_version, 0) < ${incoming("version")}))`;
}
const TAKES_OVER = takesOver("f", (column) => `j.value->>'${column}'`);

/**
 * Returns statements that make new versions readable. Run them in one transaction with those of the activities, which
 * find the files by the batch. Objects that the rows will no longer name are listed first, before the rows change.
 */
export function importFiles(
  db: D1Database,
  partnerId: string,
  files: readonly ImportedFile[],
  batchId: string,
): D1PreparedStatement[] {
  return jsonSlices(files).flatMap((slice) => [
    db
      .prepare(
        `INSERT INTO discarded_objects (object_key, discarded_at)
         SELECT old.key, ${DATABASE_NOW} FROM (
           SELECT f.object_key key, j.value->>'object_key' new_key FROM json_each(?2) j
             CROSS JOIN files f ON f.partner_id = ?1 AND f.file_id = j.value->>'file_id'
             WHERE ${TAKES_OVER}
           UNION ALL
           SELECT f.failed_object_key, j.value->>'object_key' FROM json_each(?2) j
             CROSS JOIN files f ON f.partner_id = ?1 AND f.file_id = j.value->>'file_id'
             WHERE ${TAKES_OVER}
           UNION ALL
           SELECT j.value->>'object_key', NULL FROM json_each(?2) j
             CROSS JOIN files f ON f.partner_id = ?1 AND f.file_id = j.value->>'file_id'
             WHERE NOT ${TAKES_OVER} AND f.version > j.value->>'version'
               AND j.value->>'object_key' IS NOT f.object_key
           UNION ALL
           SELECT j.value->>'object_key', NULL FROM json_each(?2) j WHERE NOT (${NOT_REMOVED})
         ) old WHERE old.key IS NOT NULL AND old.key IS NOT old.new_key
         ON CONFLICT (object_key) DO NOTHING`,
      )
      .bind(partnerId, slice),
    db
      .prepare(
        `INSERT INTO files (${SHARED_COLUMNS}, stored_version, readable_name, object_key, sha256, size_in_bytes, warnings,
           activity_count, decoder_version, stored_bytes)
         SELECT ${SHARED_VALUES}, j.value->>'version', j.value->>'activity_name', j.value->>'object_key', j.value->>'sha256',
           j.value->>'size_in_bytes', j.value->>'warnings', j.value->>'activity_count', j.value->>'decoder_version',
           j.value->>'size_in_bytes'
         FROM json_each(?2) j WHERE ${NOT_REMOVED}
         ON CONFLICT (partner_id, file_id) DO UPDATE SET ${KEEP_NEWEST},
           stored_version = excluded.stored_version, readable_name = excluded.readable_name,
           object_key = excluded.object_key, failed_object_key = NULL,
           failed_version = NULL,
           sha256 = excluded.sha256, size_in_bytes = excluded.size_in_bytes, warnings = excluded.warnings,
           activity_count = excluded.activity_count, decoder_version = excluded.decoder_version,
           stored_bytes = excluded.stored_bytes
         WHERE ${takesOver("files", (column) => `excluded.${column}`)}`,
      )
      .bind(partnerId, slice, batchId),
    listBatch(db, partnerId, slice, batchId),
    // An object that was listed as discarded may belong to a version that is readable now.
    db
      .prepare(
        `DELETE FROM discarded_objects WHERE object_key IN (SELECT f.object_key FROM json_each(?2) j
           CROSS JOIN files f ON f.partner_id = ?1 AND f.file_id = j.value->>'file_id'
             AND f.object_key = j.value->>'object_key')`,
      )
      .bind(partnerId, slice),
  ]);
}

/** SQL condition: no readable or failed version of the file names the object. */
const UNNAMED = `NOT EXISTS (SELECT 1 FROM files f WHERE f.partner_id = ?1 AND f.file_id = j.value->>'file_id'
  AND (f.object_key = j.value->>'object_key' OR f.failed_object_key = j.value->>'object_key'))`;

/** Returns statements that list objects as discarded, unless a readable or failed version names them. */
export function discardObjects(
  db: D1Database,
  partnerId: string,
  objects: readonly NamedObject[],
): D1PreparedStatement[] {
  return jsonSlices(objects).map((slice) =>
    db
      .prepare(
        `INSERT INTO discarded_objects (object_key, discarded_at)
         SELECT j.value->>'object_key', ${DATABASE_NOW} FROM json_each(?2) j
         WHERE ${UNNAMED}
         ON CONFLICT (object_key) DO NOTHING`,
      )
      .bind(partnerId, slice),
  );
}

/** Returns at most `limit` objects discarded before the instant. */
export async function readDiscarded(db: D1Database, beforeMs: number, limit: number): Promise<string[]> {
  const found = await db
    .prepare("SELECT object_key FROM discarded_objects WHERE discarded_at < ? ORDER BY discarded_at LIMIT ?")
    .bind(beforeMs, limit)
    .all<{ object_key: string }>();
  return found.results.map((row) => row.object_key);
}

export async function forgetDiscarded(db: D1Database, objectKeys: readonly string[]): Promise<void> {
  await db.batch(
    jsonSlices(objectKeys).map((slice) =>
      db
        .prepare("DELETE FROM discarded_objects WHERE object_key IN (SELECT value FROM json_each(?))")
        .bind(slice),
    ),
  );
}

export interface NamedObject {
  file_id: string;
  object_key: string;
}

/** An object that no row of a database names. */
export interface UnnamedObject extends NamedObject {
  /** Revision of the file's row. 0 without a row, which a restored database may have lost. */
  row_revision: number;
}

/** Returns the keys of those objects that no readable or failed version names, with the revisions of their files' rows. */
export async function unnamedObjects(
  db: D1Database,
  partnerId: string,
  objects: readonly NamedObject[],
): Promise<Map<string, number>> {
  const revisions = new Map<string, number>();
  for (const slice of jsonSlices(objects)) {
    const { results } = await db
      .prepare(
        `SELECT j.value->>'object_key' object_key, coalesce((SELECT f.revision FROM files f
           WHERE f.partner_id = ?1 AND f.file_id = j.value->>'file_id'), 0) row_revision
         FROM json_each(?2) j WHERE ${UNNAMED}`,
      )
      .bind(partnerId, slice)
      .all<Pick<UnnamedObject, "object_key" | "row_revision">>();
    for (const { object_key, row_revision } of results) revisions.set(object_key, row_revision);
  }
  return revisions;
}

/** Returns the key, or the beginning of a key, up to which inline bytes have been checked. Null before the first sweep. */
export async function readInlineRound(db: D1Database): Promise<string | null> {
  return db.prepare("SELECT after_key FROM inline_rounds").first<string>("after_key");
}

export async function saveInlineRound(db: D1Database, afterKey: string): Promise<void> {
  await db
    .prepare(
      `INSERT INTO inline_rounds (only_row, after_key) VALUES (1, ?)
       ON CONFLICT (only_row) DO UPDATE SET after_key = excluded.after_key`,
    )
    .bind(afterKey)
    .run();
}
