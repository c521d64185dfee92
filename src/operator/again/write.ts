import { z } from "zod";
import { DATABASE_NOW } from "../../database/sql.ts";

/**
 * Collectors to project again: all of a partner, those of one of its users, or the Durable Objects with these ids. With
 * ids, a partner or a user only filters them.
 */
const againParametersSchema = z.object({
  partner_id: z.string().nullable(),
  user_id: z.string().nullable(),
  objects: z.array(z.string()).nullable(),
});
export type AgainParameters = z.infer<typeof againParametersSchema>;

/** Searches for the collectors of a partner, in their order. */
export const SEARCHES = ["sources", "objects", "inline"] as const;

const positionSchema = z.object({
  /** `ids`: the job has the ids of its Durable Objects, so it searches nothing. */
  phase: z.enum([...SEARCHES, "ids"]),
  /** Key in the phase after which the next collector is searched. */
  after: z.string(),
  /** The collector at hand, and its last file that was processed. */
  collector: z.string().nullable(),
  file: z.string(),
});
export type Position = z.infer<typeof positionSchema>;

const againJobSchema = z.object({
  job_id: z.string(),
  parameters: z.string().transform((text) => againParametersSchema.parse(JSON.parse(text))),
  /** Position as JSON. Empty at the start. */
  after_file: z.string().transform((text) => (text === "" ? null : positionSchema.parse(JSON.parse(text)))),
  looked_at: z.number(),
  changed: z.number(),
  failed: z.number(),
  claims: z.number(),
  finished_at: z.number().nullable(),
});
export type AgainJob = z.infer<typeof againJobSchema>;

/** Statement that creates a job. The `project-again` command runs it; the service then does the work. */
export const INSERT_AGAIN = `INSERT INTO operator_jobs (job_id, kind, parameters, created_at)
  VALUES (?1, 'project_again', ?2, ${DATABASE_NOW}) ON CONFLICT (job_id) DO NOTHING`;

export function parseAgainJob(row: unknown): AgainJob {
  return againJobSchema.parse(row);
}

/** Claims the unfinished job that was not continued for the longest time. Null when none is free. */
export async function claimAgainJob(
  db: D1Database,
  nowMs: number,
  untilMs: number,
): Promise<AgainJob | null> {
  const row = await db
    .prepare(
      `UPDATE operator_jobs SET claimed_until = ?2, claims = claims + 1 WHERE job_id = (
         SELECT job_id FROM operator_jobs WHERE kind = 'project_again' AND finished_at IS NULL AND claimed_until < ?1
         ORDER BY claimed_until, created_at, job_id LIMIT 1)
       RETURNING *`,
    )
    .bind(nowMs, untilMs)
    .first();
  return row === null ? null : parseAgainJob(row);
}

/** Stores the progress of a job, resets its count of claims, and moves the end of its claim. */
export async function saveAgainJob(db: D1Database, job: AgainJob, claimedUntilMs: number): Promise<void> {
  await db
    .prepare(
      `UPDATE operator_jobs SET after_file = ?2, looked_at = ?3, changed = ?4, failed = ?5, finished_at = ?6,
         claimed_until = ?7, claims = 0 WHERE job_id = ?1`,
    )
    .bind(
      job.job_id,
      job.after_file === null ? "" : JSON.stringify(job.after_file),
      job.looked_at,
      job.changed,
      job.failed,
      job.finished_at,
      claimedUntilMs,
    )
    .run();
}

/** Ends the claim of a job after a fault. Its count of claims stays. */
export async function releaseAgainJob(db: D1Database, jobId: string, nowMs: number): Promise<void> {
  await db.prepare("UPDATE operator_jobs SET claimed_until = ? WHERE job_id = ?").bind(nowMs, jobId).run();
}

/** A row that is replaced if its revision is between these two. */
export interface LoweredRow {
  file_id: string;
  revision: number;
  through: number;
}

/**
 * Returns the statement that makes damaged rows older than the version that replaces them, because only a higher revision
 * replaces a row. Rows that have changed since the page was read stay.
 */
export function lowerRevisions(
  database: D1Database,
  partnerId: string,
  rows: readonly LoweredRow[],
): D1PreparedStatement[] {
  if (rows.length === 0) return [];
  return [
    database
      .prepare(
        `UPDATE files SET revision = (SELECT j.value->>'revision' - 1 FROM json_each(?2) j
           WHERE j.value->>'file_id' = files.file_id)
         WHERE partner_id = ?1 AND file_id IN (SELECT value->>'file_id' FROM json_each(?2))
           AND EXISTS (SELECT 1 FROM json_each(?2) j WHERE j.value->>'file_id' = files.file_id
             AND files.revision BETWEEN j.value->>'revision' AND j.value->>'through')`,
      )
      .bind(partnerId, JSON.stringify(rows)),
  ];
}

/** Returns the statement that keeps failed objects that rows name: replacing a version discards its row's failed object. */
export function keepNamedObjects(
  database: D1Database,
  partnerId: string,
  fileIds: readonly string[],
): D1PreparedStatement[] {
  if (fileIds.length === 0) return [];
  return [
    database
      .prepare(
        `DELETE FROM discarded_objects WHERE object_key IN (SELECT f.failed_object_key FROM json_each(?2) j
           CROSS JOIN files f ON f.partner_id = ?1 AND f.file_id = j.value WHERE f.failed_object_key IS NOT NULL)`,
      )
      .bind(partnerId, JSON.stringify(fileIds)),
  ];
}
