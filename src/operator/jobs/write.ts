import { z } from "zod";
import { DATABASE_NOW } from "../../database/sql.ts";
import { FILE_ERROR_CODES } from "../../files/errorCodes.ts";
import { JOB_KINDS, type Job, type JobFailure, type JobItem, type JobKindName } from "./job.ts";

const jobSchema: z.ZodType<Job> = z.object({
  job_id: z.string(),
  kind: z.enum(JOB_KINDS),
  parameters: z.string(),
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

/** Returns the statement that creates a job. A command runs it; the service then does the work. */
function insertJob(kind: JobKindName | "act"): string {
  return `INSERT INTO operator_jobs (job_id, kind, parameters, created_at)
    VALUES (?1, '${kind}', ?2, ${DATABASE_NOW}) ON CONFLICT (job_id) DO NOTHING`;
}
export const INSERT_REDECODE = insertJob("redecode");
export const INSERT_AGAIN = insertJob("project_again");
export const INSERT_ACT = insertJob("act");

export const READ_JOB = "SELECT * FROM operator_jobs WHERE job_id = ?1";

/** Lists the items that a job could not process, with the key of their bytes. */
export const READ_FAILURES = `SELECT x.partner_id, x.file_id, x.code, coalesce(f.object_key, f.failed_object_key) AS object_key
  FROM operator_job_failures x LEFT JOIN files f ON f.partner_id = x.partner_id AND f.file_id = x.file_id
  WHERE x.job_id = ?1 ORDER BY x.partner_id, x.file_id`;

export function parseJob(row: unknown): Job {
  return jobSchema.parse(row);
}

const textList = (texts: readonly string[]) => texts.map((text) => `'${text}'`).join(", ");

/** SQL condition for an unfinished job of a kind and code that this release knows. Newer releases do the others. */
const UNFINISHED = `finished_at IS NULL AND kind IN (${textList(JOB_KINDS)})
  AND coalesce(parameters ->> 'code', '') IN ('', ${textList(FILE_ERROR_CODES)})`;

/** The job of a database whose turn it is. */
export interface NextJob {
  job_id: string;
  /** End of the last claim of any job in Unix milliseconds. After a run it is the run's start. */
  continued_at: number;
}

/** Returns the unfinished job that was not continued for the longest time, so that jobs take turns. Null without one. */
export async function nextJob(db: D1Database): Promise<NextJob | null> {
  return db
    .prepare(
      `SELECT job_id, max(claimed_until) OVER () AS continued_at FROM operator_jobs WHERE ${UNFINISHED}
       ORDER BY claimed_until, created_at, job_id LIMIT 1`,
    )
    .first<NextJob>();
}

/** Claims a job until `untilMs`. Returns null for a job that is finished or claimed. */
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

/**
 * Returns the statement that stores a job's progress and sets the end of its claim. A past end releases it. `claims` is 0
 * unless the job has made no progress.
 */
export function saveJob(db: D1Database, job: Job, claimedUntilMs: number, claims = 0): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE operator_jobs SET after_partner = ?2, after_file = ?3, looked_at = ?4, changed = ?5, failed = ?6,
         walked_files = ?7, finished_at = ?8, claimed_until = ?9, claims = ?10 WHERE job_id = ?1`,
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
      claims,
    );
}

/** Releases the claim of a run that a store's fault has ended. The run counts as one without progress. */
export async function releaseJob(db: D1Database, jobId: string, claimedUntilMs: number): Promise<void> {
  await db
    .prepare("UPDATE operator_jobs SET claimed_until = ?2, claims = max(claims, 1) WHERE job_id = ?1")
    .bind(jobId, claimedUntilMs)
    .run();
}

/** Returns the statement that lists failures of a job. */
export function listFailures(
  db: D1Database,
  jobId: string,
  failures: readonly JobFailure[],
): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO operator_job_failures (job_id, partner_id, file_id, code)
       SELECT ?1, j.value->>'partner_id', j.value->>'file_id', j.value->>'code' FROM json_each(?2) j
       WHERE true ON CONFLICT (job_id, partner_id, file_id) DO UPDATE SET code = excluded.code`,
    )
    .bind(jobId, JSON.stringify(failures));
}

/** Returns the statement that removes items from the failures of a job. */
export function unlistFailures(
  db: D1Database,
  jobId: string,
  items: readonly JobItem[],
): D1PreparedStatement {
  return db
    .prepare(
      `DELETE FROM operator_job_failures WHERE job_id = ?1 AND (partner_id, file_id) IN (
         SELECT value->>'partner_id', value->>'file_id' FROM json_each(?2))`,
    )
    .bind(jobId, JSON.stringify(items));
}

/** SQL condition for jobs that name a user: actions have results from collectors, and other jobs may be of one user. */
const NAMES_USER = "(kind = 'act' OR parameters ->> 'user_id' IS NOT NULL)";

/** Deletes jobs that finished before the instant, and jobs that name a user before its own. Returns how many. */
export async function deleteFinishedJobs(
  db: D1Database,
  beforeMs: number,
  ofUserBeforeMs: number,
): Promise<number> {
  const jobs = `SELECT job_id FROM operator_jobs WHERE finished_at < ?1 OR (finished_at < ?2 AND ${NAMES_USER})`;
  const results = await db.batch([
    db.prepare(`DELETE FROM operator_job_failures WHERE job_id IN (${jobs})`).bind(beforeMs, ofUserBeforeMs),
    db.prepare(`DELETE FROM operator_jobs WHERE job_id IN (${jobs})`).bind(beforeMs, ofUserBeforeMs),
  ]);
  return results.at(-1)?.meta.changes ?? 0;
}
