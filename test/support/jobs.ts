import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { allDatabases, namedDatabases } from "../../src/database/databases.ts";
import { randomId } from "../../src/identifiers.ts";
import { consumeJobs } from "../../src/operator/jobs/consume.ts";
import { INSERT_REDECODE, parseJob, READ_FAILURES, READ_JOB } from "../../src/operator/jobs/write.ts";

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
  // A job of a partner is in one database.
  const jobs = rows.filter((row) => row !== null).map(parseJob);
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

/** Delivers a message once for a database. Returns whether the consumer acknowledged it. */
export async function deliverTo(database: string, sentAtMs = Date.now()): Promise<boolean> {
  const message = { id: "job", timestamp: new Date(sentAtMs), attempts: 1, body: { database } };
  const batch = createMessageBatch("partner-api-jobs", [message]);
  await consumeJobs(batch, env);
  return (await getQueueResult(batch, createExecutionContext())).explicitAcks.length === 1;
}

/** Delivers a message for each database. Returns whether the consumer acknowledged all. */
export async function deliverJobs(): Promise<boolean> {
  const acknowledged = [];
  for (const { name } of namedDatabases(env)) acknowledged.push(await deliverTo(name));
  return acknowledged.every(Boolean);
}

/** Delivers messages until the job has finished. */
export async function finishJob(jobId: string): ReturnType<typeof jobOf> {
  for (let runs = 0; runs < 100; runs += 1) {
    await deliverJobs();
    const job = await jobOf(jobId);
    if (job.isFinished) return job;
  }
  throw new Error("the job does not finish");
}
