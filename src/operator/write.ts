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
  total_files: z.number().nullable(),
  walked_files: z.number(),
  started_at: z.number().nullable(),
  claims: z.number(),
  finished_at: z.number().nullable(),
});
export type Job = z.infer<typeof jobSchema>;

/** Statement that creates a job. The `redecode` command runs it; the service then does the work. */
export const INSERT_REDECODE = `INSERT INTO operator_jobs (job_id, kind, parameters, created_at)
  VALUES (?1, 'redecode', ?2, ${DATABASE_NOW}) ON CONFLICT (job_id) DO NOTHING`;

export const READ_JOB = "SELECT * FROM operator_jobs WHERE job_id = ?1";

/** Lists the files that a job could not decode, with the key of their bytes. */
export const READ_FAILURES = `SELECT x.partner_id, x.file_id, x.code, coalesce(f.object_key, f.failed_object_key) AS object_key
  FROM operator_job_failures x LEFT JOIN files f ON f.partner_id = x.partner_id AND f.file_id = x.file_id
  WHERE x.job_id = ?1 ORDER BY x.partner_id, x.file_id`;

export function parseJob(row: unknown): Job {
  return jobSchema.parse(row);
}

/** SQL condition for an unfinished job of a kind and code that this release knows. Newer releases do the others. */
const UNFINISHED = `finished_at IS NULL AND kind = 'redecode'
  AND coalesce(parameters ->> 'code', '') IN ('', ${FILE_ERROR_CODES.map((code) => `'${code}'`).join(", ")})`;

/** Returns the oldest unfinished job and the end of its last claim, or null without one. */
export async function nextJob(db: D1Database): Promise<{ job_id: string; claimed_until: number } | null> {
  return db
    .prepare(
      `SELECT job_id, claimed_until FROM operator_jobs WHERE ${UNFINISHED} ORDER BY created_at, job_id LIMIT 1`,
    )
    .first<{ job_id: string; claimed_until: number }>();
}

/** Claims a job until `untilMs`. Returns null for a job that is unknown here, finished or claimed. */
export async function claimJob(
  db: D1Database,
  jobId: string,
  nowMs: number,
  untilMs: number,
): Promise<Job | null> {
  const row = await db
    .prepare(
      `UPDATE operator_jobs SET claimed_until = ?3, claims = claims + 1, started_at = coalesce(started_at, ?2),
         total_files = coalesce(total_files, (SELECT sum(files) FROM partner_usage), 0)
       WHERE job_id = ?1 AND claimed_until <= ?2 AND ${UNFINISHED}
       RETURNING *`,
    )
    .bind(jobId, nowMs, untilMs)
    .first();
  return row === null ? null : parseJob(row);
}

/** Returns the statement that stores a job's progress, resets its count of claims and sets the end of its claim. A past end releases it. */
export function saveJob(db: D1Database, job: Job, claimedUntilMs: number): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE operator_jobs SET after_partner = ?2, after_file = ?3, looked_at = ?4, changed = ?5, failed = ?6,
         walked_files = ?7, finished_at = ?8, claimed_until = ?9, claims = 0 WHERE job_id = ?1`,
    )
    .bind(
      job.job_id,
      job.after_partner,
      job.after_file,
      job.looked_at,
      job.changed,
      job.failed,
      job.walked_files,
      job.finished_at,
      claimedUntilMs,
    );
}

/** Releases the claim of a run that a store's fault has interrupted. The claim does not count as one that died. */
export async function releaseJob(db: D1Database, jobId: string, claimedUntilMs: number): Promise<void> {
  await db
    .prepare("UPDATE operator_jobs SET claimed_until = ?2, claims = max(claims - 1, 0) WHERE job_id = ?1")
    .bind(jobId, claimedUntilMs)
    .run();
}

/** SQL condition for jobs that name a user: actions have results from collectors, and other jobs may be of one user. */
const NAMES_USER = "(kind = 'act' OR parameters ->> 'user_id' IS NOT NULL)";

/** Deletes jobs that finished before the instant, and jobs that name a user before its own. Returns how many. */
export async function deleteFinishedJobs(
  db: D1Database,
  beforeMs: number,
  ofUserBeforeMs: number,
): Promise<number> {
  const results = await db.batch([
    db
      .prepare(
        `DELETE FROM operator_job_failures WHERE job_id IN (SELECT job_id FROM operator_jobs WHERE finished_at < ?)`,
      )
      .bind(beforeMs),
    db
      .prepare(`DELETE FROM operator_jobs WHERE finished_at < ?1 OR (finished_at < ?2 AND ${NAMES_USER})`)
      .bind(beforeMs, ofUserBeforeMs),
  ]);
  return results.at(-1)?.meta.changes ?? 0;
}

const storedFileSchema = z.object({
  partner_id: z.string(),
  file_id: z.string(),
  start_time_in_seconds: z.string(),
  stored_version: z.number().nullable(),
  revision: z.number(),
  object_key: z.string().nullable(),
  size_in_bytes: z.number().nullable(),
  received_at: z.number(),
});
export type StoredFile = z.infer<typeof storedFileSchema>;

const walkedFiles = z.array(z.object({ n: z.number(), walked_partner: z.string(), walked_file: z.string() }));

/** Maximum number of files that one page of a job examines, whether they match or not. */
const FILES_TO_WALK = 5_000;

/** Position of a job, and the number of files that it has passed. */
type Position = Pick<Job, "after_partner" | "after_file" | "walked_files">;

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
  job: Job,
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
    .bind(
      job.after_partner,
      job.after_file,
      job.parameters.since,
      job.parameters.code,
      decoderVersion,
      bounds.files,
      FILES_TO_WALK,
    )
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
         decoder_version = ?3, updated_at = ${DATABASE_NOW}, updated_batch = ?4,
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

/** A file that a job could not decode. */
export interface RedecodeFailure {
  file: StoredFile;
  code: string;
}

/** Returns the statement that lists failures of a job, without files that have changed since they were read. */
export function listFailures(
  db: D1Database,
  jobId: string,
  failures: readonly RedecodeFailure[],
): D1PreparedStatement {
  const rows = failures.map(({ file: { partner_id, file_id, revision }, code }) => ({
    partner_id,
    file_id,
    revision,
    code,
  }));
  return db
    .prepare(
      `INSERT INTO operator_job_failures (job_id, partner_id, file_id, code)
       SELECT ?1, f.partner_id, f.file_id, j.value->>'code' FROM json_each(?2) j
       CROSS JOIN files f ON f.partner_id = j.value->>'partner_id' AND f.file_id = j.value->>'file_id'
         AND f.revision = j.value->>'revision'
       WHERE true ON CONFLICT (job_id, partner_id, file_id) DO NOTHING`,
    )
    .bind(jobId, JSON.stringify(rows));
}

/** Returns the statement that removes a file from the failures of a job. */
export function unlistFailure(
  db: D1Database,
  jobId: string,
  { partner_id, file_id }: StoredFile,
): D1PreparedStatement {
  return db
    .prepare("DELETE FROM operator_job_failures WHERE job_id = ? AND partner_id = ? AND file_id = ?")
    .bind(jobId, partner_id, file_id);
}
