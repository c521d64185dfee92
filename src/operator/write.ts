import { z } from "zod";
import { replaceActivities } from "../activities/write.ts";
import { FILE_ERROR_CODES } from "../files/file.ts";
import { listBatch } from "../files/write.ts";
import type { DecodedActivity } from "../fit/index.ts";
import { newBatchId } from "../identifiers.ts";
import { DATABASE_NOW } from "../database/sql.ts";
import { walked } from "../database/walk.ts";

/** Files to decode again: received since `since` (Unix milliseconds), and failed with `code` unless it is null. */
const redecodeParametersSchema = z.object({
  since: z.number().int(),
  code: z.enum(FILE_ERROR_CODES).nullable().default(null),
});

const jobSchema = z.object({
  job_id: z.string(),
  parameters: z.string().transform((text) => redecodeParametersSchema.parse(JSON.parse(text))),
  after_partner: z.string(),
  after_file: z.string(),
  looked_at: z.number(),
  changed: z.number(),
  failed: z.number(),
  claims: z.number(),
  finished_at: z.number().nullable(),
});
export type Job = z.infer<typeof jobSchema>;

/** Statement that creates a job. The `redecode` command runs it; the service then does the work. */
export const INSERT_REDECODE = `INSERT INTO operator_jobs (job_id, kind, parameters, created_at)
  VALUES (?1, 'redecode', ?2, ${DATABASE_NOW}) ON CONFLICT (job_id) DO NOTHING`;

export const READ_JOB = "SELECT * FROM operator_jobs WHERE job_id = ?1";

export function parseJob(row: unknown): Job {
  return jobSchema.parse(row);
}

/**
 * Claims the oldest unfinished job until `untilMs`. Returns null when no job is unfinished, or it is claimed. Leaves jobs
 * of newer releases to them.
 */
export async function claimJob(db: D1Database, nowMs: number, untilMs: number): Promise<Job | null> {
  const row = await db
    .prepare(
      `UPDATE operator_jobs SET claimed_until = ?2, claims = claims + 1 WHERE job_id = (
         SELECT job_id FROM operator_jobs WHERE finished_at IS NULL AND kind = 'redecode'
           AND coalesce(parameters ->> 'code', '') IN ('', ${FILE_ERROR_CODES.map((code) => `'${code}'`).join(", ")})
         ORDER BY created_at, job_id LIMIT 1)
         AND claimed_until <= ?1
       RETURNING *`,
    )
    .bind(nowMs, untilMs)
    .first();
  return row === null ? null : parseJob(row);
}

/** Stores the progress of a job, resets its count of claims and extends its claim. 0 releases it. */
export async function saveJob(db: D1Database, job: Job, claimedUntilMs: number): Promise<void> {
  await db
    .prepare(
      `UPDATE operator_jobs SET after_partner = ?2, after_file = ?3, looked_at = ?4, changed = ?5, failed = ?6,
         finished_at = ?7, claimed_until = ?8, claims = 0 WHERE job_id = ?1`,
    )
    .bind(
      job.job_id,
      job.after_partner,
      job.after_file,
      job.looked_at,
      job.changed,
      job.failed,
      job.finished_at,
      claimedUntilMs,
    )
    .run();
}

/** Deletes jobs that finished before the instant. Returns how many. */
export async function deleteFinishedJobs(db: D1Database, beforeMs: number): Promise<number> {
  const deleted = await db.prepare("DELETE FROM operator_jobs WHERE finished_at < ?").bind(beforeMs).run();
  return deleted.meta.changes;
}

const storedFileSchema = z.object({
  partner_id: z.string(),
  file_id: z.string(),
  start_time_in_seconds: z.string(),
  stored_version: z.number().nullable(),
  revision: z.number(),
  object_key: z.string().nullable(),
  received_at: z.number(),
});
export type StoredFile = z.infer<typeof storedFileSchema>;

const walkedFiles = z.array(z.object({ n: z.number(), walked_partner: z.string(), walked_file: z.string() }));

/** Maximum number of files that one page of a job examines, whether they match or not. */
const FILES_TO_WALK = 5_000;

/** Files to decode again, and the position of the next page. `next` is null after the last file. */
export interface RedecodePage {
  files: StoredFile[];
  next: { after_partner: string; after_file: string } | null;
}

/**
 * Returns at most `limit` files after the position of the job, in the order of partner and id: those that an older decoder
 * has read, or with a code, those that failed with it and whose bytes are stored.
 */
export async function filesToRedecode(
  db: D1Database,
  job: Job,
  decoderVersion: number,
  limit: number,
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
           revision, object_key, received_at, decoder_version, status, failed_object_key, error FROM files) f
         ON f.partner_id = w.partner_id AND f.file_id = w.file_id AND f.received_at >= ?3 AND CASE
         WHEN ?4 IS NULL THEN f.stored_version IS NOT NULL AND f.decoder_version < ?5
         ELSE f.status = 'failed' AND f.failed_object_key IS NOT NULL AND f.error ->> 'code' = ?4 END
       WHERE f.file_id IS NOT NULL OR w.n = ?7
       ORDER BY w.n LIMIT ?6`,
    )
    .bind(
      job.after_partner,
      job.after_file,
      job.parameters.since,
      job.parameters.code,
      decoderVersion,
      limit,
      FILES_TO_WALK,
    )
    .all();
  const rows = walkedFiles.parse(found.results);
  const last = rows.at(-1);
  const isLast = rows.length < limit && last?.n !== FILES_TO_WALK;
  return {
    files: z.array(storedFileSchema).parse(found.results.filter((row) => row["file_id"] !== null)),
    next:
      isLast || last === undefined
        ? null
        : { after_partner: last.walked_partner, after_file: last.walked_file },
  };
}

/**
 * Returns statements that replace the activities of a readable version. They apply only if the file has not changed since
 * it was read and no newer decoder has decoded it. Run them in one batch; the change count of the first shows whether
 * they applied.
 */
export function replaceDecoded(
  db: D1Database,
  file: StoredFile,
  decoded: { warnings: readonly string[]; activities: readonly DecodedActivity[] },
  decoderVersion: number,
): D1PreparedStatement[] {
  const batchId = newBatchId();
  const updated = db
    .prepare(
      `UPDATE files SET warnings = ?5, activity_count = ?6, decoder_version = ?7, updated_at = ${DATABASE_NOW},
         updated_batch = ?8, counted_files = 1, counted_bytes = stored_bytes
       WHERE partner_id = ?1 AND file_id = ?2 AND stored_version = ?3 AND revision = ?4 AND decoder_version < ?7`,
    )
    .bind(
      file.partner_id,
      file.file_id,
      file.stored_version,
      file.revision,
      JSON.stringify(decoded.warnings),
      decoded.activities.length,
      decoderVersion,
      batchId,
    );
  const { file_id, partner_id } = file;
  const version = file.stored_version ?? 0;
  return [
    updated,
    listBatch(db, partner_id, JSON.stringify([{ file_id }]), batchId),
    ...replaceActivities(db, partner_id, [{ file_id, version, activities: decoded.activities }], batchId),
  ];
}
