import { z } from "zod";
import { replaceActivities } from "../../activities/write.ts";
import { FILE_ERROR_CODES } from "../../files/errorCodes.ts";
import { listBatch } from "../../files/write.ts";
import type { DecodedActivity } from "../../fit/index.ts";
import { newBatchId } from "../../identifiers.ts";
import { DATABASE_NOW } from "../../database/sql.ts";
import type { Job } from "../jobs/job.ts";
import { walked } from "../../database/walk.ts";

/** Files to decode again: received since `since` (Unix milliseconds), and failed with `code` unless it is null. */
export const redecodeParametersSchema = z.object({
  since: z.number().int(),
  code: z.enum(FILE_ERROR_CODES).nullable().default(null),
});
export type RedecodeParameters = z.infer<typeof redecodeParametersSchema>;

const storedFileSchema = z.object({
  partner_id: z.string(),
  file_id: z.string(),
  start_time_in_seconds: z.string(),
  stored_version: z.number().nullable(),
  revision: z.number(),
  object_key: z.string().nullable(),
  size_in_bytes: z.number().nullable(),
  received_at: z.number(),
  /** Number of files that the walk has passed, with this one. */
  n: z.number(),
});
export type StoredFile = z.infer<typeof storedFileSchema>;

const walkedFiles = z.array(z.object({ n: z.number(), walked_partner: z.string(), walked_file: z.string() }));

/** Maximum number of files that one page of a job examines, whether they match or not. */
const FILES_TO_WALK = 5_000;

/** Position of a job, and the number of files that it has passed. */
export type Position = Pick<Job, "after_partner" | "after_file" | "walked_files">;

/** Files to decode again, and the position after them. */
export interface RedecodePage {
  files: StoredFile[];
  end: Position;
  /** Whether no file follows. */
  isLast: boolean;
}

/** Bounds of a page. The first file may exceed the bytes. */
export interface PageBounds {
  files: number;
  bytes: number;
}

/**
 * Returns files after the position of the job, in the order of partner and id: those that an older decoder has read, or
 * with a code, those that failed with it and whose bytes are stored.
 */
export async function filesToRedecode(
  db: D1Database,
  job: Position,
  { since, code }: RedecodeParameters,
  decoderVersion: number,
  bounds: PageBounds,
): Promise<RedecodePage> {
  const found = await db
    .prepare(
      `SELECT w.n, w.partner_id AS walked_partner, w.file_id AS walked_file, f.*
       FROM ${walked(
         `SELECT partner_id, file_id FROM files WHERE (partner_id, file_id) > (?1, ?2)
         ORDER BY partner_id, file_id`,
         "?7",
       )}
       LEFT JOIN (SELECT partner_id, file_id, start_time_in_seconds, stored_version,
           revision, object_key, size_in_bytes, received_at, decoder_version, status, failed_object_key, error FROM files) f
         ON f.partner_id = w.partner_id AND f.file_id = w.file_id AND f.received_at >= ?3 AND CASE
         WHEN ?4 IS NULL THEN f.stored_version IS NOT NULL AND f.decoder_version < ?5
         ELSE f.status = 'failed' AND f.failed_object_key IS NOT NULL AND f.error ->> 'code' = ?4 END
       WHERE f.file_id IS NOT NULL OR w.n = ?7
       ORDER BY w.n LIMIT ?6`,
    )
    .bind(job.after_partner, job.after_file, since, code, decoderVersion, bounds.files, FILES_TO_WALK)
    .all();
  const matches = found.results.map((row) => (row["file_id"] === null ? null : storedFileSchema.parse(row)));
  let bytes = 0;
  const cut = matches.findIndex((file, index) => {
    bytes += file?.size_in_bytes ?? 0;
    return index > 0 && bytes > bounds.bytes;
  });
  const rows = walkedFiles.parse(found.results).slice(0, cut === -1 ? undefined : cut);
  const last = rows.at(-1);
  return {
    files: matches.slice(0, rows.length).filter((file) => file !== null),
    end: {
      after_partner: last?.walked_partner ?? job.after_partner,
      after_file: last?.walked_file ?? job.after_file,
      walked_files: job.walked_files + (last?.n ?? 0),
    },
    isLast: cut === -1 && rows.length < bounds.files && last?.n !== FILES_TO_WALK,
  };
}

/** A stored file with the activities that the current decoder finds in it. */
export interface RedecodedFile {
  file: StoredFile;
  warnings: readonly string[];
  activities: readonly DecodedActivity[];
}

/**
 * Returns statements that replace the activities of readable versions of a partner. They apply to the files that have not
 * changed since they were read and that no newer decoder has decoded. Run them in one batch; the change count of the
 * first is the number of files that they applied to.
 */
export function replaceDecoded(
  db: D1Database,
  partnerId: string,
  files: readonly RedecodedFile[],
  decoderVersion: number,
): D1PreparedStatement[] {
  const batchId = newBatchId();
  const rows = JSON.stringify(
    files.map(({ file, warnings, activities }) => ({
      file_id: file.file_id,
      stored_version: file.stored_version,
      revision: file.revision,
      warnings: JSON.stringify(warnings),
      activity_count: activities.length,
    })),
  );
  const updated = db
    .prepare(
      `UPDATE files SET (warnings, activity_count) = (
           SELECT j.value->>'warnings', j.value->>'activity_count' FROM json_each(?2) j
           WHERE j.value->>'file_id' = files.file_id),
         decoder_version = ?3, updated_at = ${DATABASE_NOW}, updated_batch = ?4, edited_batch = ?4,
         counted_files = 1, counted_bytes = stored_bytes
       WHERE partner_id = ?1 AND file_id IN (
         SELECT f.file_id FROM json_each(?2) j
         CROSS JOIN files f ON f.partner_id = ?1 AND f.file_id = j.value->>'file_id'
           AND f.stored_version = j.value->>'stored_version' AND f.revision = j.value->>'revision'
           AND f.decoder_version < ?3)`,
    )
    .bind(partnerId, rows, decoderVersion, batchId);
  return [
    updated,
    listBatch(db, partnerId, rows, batchId),
    ...replaceActivities(
      db,
      partnerId,
      files.map(({ file, activities }) => ({
        file_id: file.file_id,
        version: file.stored_version ?? 0,
        activities,
      })),
      batchId,
    ),
  ];
}
