import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { allDatabases } from "../../src/database/databases.ts";
import { randomId } from "../../src/identifiers.ts";
import { consumeJobs } from "../../src/operator/jobs.ts";
import { INSERT_REDECODE, parseJob, READ_FAILURES, READ_JOB } from "../../src/operator/write.ts";

/** Creates a job with one id in each database, as the command does. Returns the id. */
export async function createRedecode(since: number, code: string | null = null): Promise<string> {
  const jobId = randomId();
  for (const database of allDatabases(env)) {
    await database.prepare(INSERT_REDECODE).bind(jobId, JSON.stringify({ since, code })).run();
  }
  return jobId;
}

/** Returns the sums of the job over the databases. */
export async function jobOf(jobId: string) {
  const rows = await Promise.all(
    allDatabases(env).map(async (database) => database.prepare(READ_JOB).bind(jobId).first()),
  );
  const jobs = rows.map(parseJob);
  const sum = (name: "looked_at" | "changed" | "failed" | "claims") =>
    jobs.reduce((total, job) => total + job[name], 0);
  return {
    looked_at: sum("looked_at"),
    changed: sum("changed"),
    failed: sum("failed"),
    claims: sum("claims"),
    isFinished: jobs.every((job) => job.finished_at !== null),
  };
}

export async function failuresOf(jobId: string): Promise<unknown[]> {
  const found = await Promise.all(
    allDatabases(env).map(async (database) => database.prepare(READ_FAILURES).bind(jobId).all()),
  );
  return found.flatMap(({ results }) => results);
}

/** Ends the claims of all jobs. */
export async function expireClaims(): Promise<void> {
  for (const database of allDatabases(env)) {
    await database.prepare("UPDATE operator_jobs SET claimed_until = 0").run();
  }
}

/** Delivers a job's message once. Returns whether the consumer acknowledged it. */
export async function deliverJob(jobId: string): Promise<boolean> {
  const message = { id: "job", timestamp: new Date(), attempts: 1, body: { job_id: jobId } };
  const batch = createMessageBatch("partner-api-jobs", [message]);
  await consumeJobs(batch, env);
  return (await getQueueResult(batch, createExecutionContext())).explicitAcks.length === 1;
}

/** Delivers a job's message until the job has finished. */
export async function finishJob(jobId: string): ReturnType<typeof jobOf> {
  for (let runs = 0; runs < 100; runs += 1) {
    await deliverJob(jobId);
    const job = await jobOf(jobId);
    if (job.isFinished) return job;
  }
  throw new Error("the job does not finish");
}
