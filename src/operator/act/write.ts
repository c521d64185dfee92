import { z } from "zod";
import { DATABASE_NOW } from "../../database/sql.ts";

/**
 * One action of an operator. `examine` tries every store. `inspect` reads a file or an import from its collector, `retry`
 * queues a failed file, or those of an import, again, and `resend` delivers an event again.
 */
export const ACTIONS = ["examine", "inspect", "retry", "resend"] as const;

const actParametersSchema = z.object({
  action: z.enum(ACTIONS),
  partner_id: z.string(),
  /** Id of the file, the import or the event. Empty for `examine`. */
  id: z.string(),
});
export type ActParameters = z.infer<typeof actParametersSchema>;

const actRow = z.object({
  job_id: z.string(),
  parameters: z.string().transform((text) => actParametersSchema.parse(JSON.parse(text))),
});
export type ActJob = z.infer<typeof actRow>;

/** Statement that reads the result of a job: JSON, or no text before its end. */
export const READ_RESULT = "SELECT after_file AS result, finished_at FROM operator_jobs WHERE job_id = ?1";

/** Claims at most `limit` unfinished actions until `untilMs`, oldest first. */
export async function claimActs(
  db: D1Database,
  nowMs: number,
  untilMs: number,
  limit: number,
): Promise<ActJob[]> {
  const { results } = await db
    .prepare(
      `UPDATE operator_jobs SET claimed_until = ?2, claims = claims + 1 WHERE job_id IN (
         SELECT job_id FROM operator_jobs WHERE kind = 'act' AND finished_at IS NULL AND claimed_until <= ?1
         ORDER BY created_at, job_id LIMIT ?3)
       RETURNING job_id, parameters`,
    )
    .bind(nowMs, untilMs, limit)
    .all();
  return z.array(actRow).parse(results);
}

export async function finishAct(db: D1Database, jobId: string, result: unknown): Promise<void> {
  await db
    .prepare(`UPDATE operator_jobs SET after_file = ?2, finished_at = ${DATABASE_NOW} WHERE job_id = ?1`)
    .bind(jobId, JSON.stringify(result))
    .run();
}

/** Returns the size of the database in bytes, which D1 reports with every result. */
export async function sizeOf(db: D1Database): Promise<number> {
  return (await db.prepare("SELECT 1").all()).meta.size_after;
}
