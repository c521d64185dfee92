import { z } from "zod";
import { withRetries } from "../../concurrency/withRetries.ts";
import {
  metered,
  namedDatabases,
  sumOverDatabases,
  wholeInvocation,
  type Allowance,
  type NamedDatabase,
} from "../../database/databases.ts";
import type { Env, JobMessage } from "../../env.ts";
import { faultName, logLine } from "../../log.ts";
import type { Job } from "./job.ts";
import { CLAIM_MS, MAX_TRIES, runJob } from "./run.ts";
import { claimJob, nextJob, releaseJob } from "./write.ts";

/** Statements of one run. The last page may exceed it: D1 allows an invocation 1,000. */
const STATEMENTS_PER_RUN = 500;
/** Delay before a job continues after a fault of a store. It doubles with each run without progress. */
const FAULT_PAUSE_SECONDS = 10;
/** Time after a run in which its message for the next run arrives. */
const HANDOVER_MS = 60_000;
/** Maximum difference between the clocks of the queue and of the Worker. */
const CLOCKS_DIFFER_MS = 5_000;

/**
 * Sends a message for each database with jobs, unless a run has continued one of them just now. The runs send the message
 * on by themselves; this starts jobs, and continues those whose message was lost. Returns the number of messages.
 */
export async function sendJobs(
  env: Env,
  nowMs: number,
  allowance: Allowance = wholeInvocation(),
): Promise<number> {
  return sumOverDatabases(env, { nowMs, allowance }, async (database, name) => {
    const job = await nextJob(database);
    if (job === null || job.continued_at + HANDOVER_MS > nowMs) return 0;
    await env.JOBS.send({ database: name });
    return 1;
  });
}

const messageSchema: z.ZodType<JobMessage> = z.object({ database: z.string() });

/** Continues a job of each database that the messages name. Acknowledges each message, or retries it after a fault. Never throws. */
export async function consumeJobs(batch: MessageBatch, env: Env): Promise<void> {
  for (const message of batch.messages) {
    const parsed = messageSchema.safeParse(message.body);
    const known = namedDatabases(env).find(({ name }) => name === parsed.data?.database);
    if (known === undefined) {
      logLine({
        unit: "setback",
        outcome: "unreadable_message",
        queue: batch.queue,
        message_id: message.id,
      });
      message.ack();
      continue;
    }
    // A retried message is older than the run that it continues.
    const sentAtMs = message.attempts > 1 ? Infinity : message.timestamp.getTime();
    const delaySeconds = await continueNextJob(env, known, sentAtMs);
    if (delaySeconds === null) message.ack();
    else message.retry({ delaySeconds });
  }
}

/**
 * Does one run of the job whose turn it is, and sends the message on while the database has jobs. Returns null, or the
 * delay of the next try after a fault.
 */
async function continueNextJob(
  env: Env,
  { name, database: unmetered }: NamedDatabase,
  sentAtMs: number,
): Promise<number | null> {
  const startedAtMs = Date.now();
  const allowance = { statements: STATEMENTS_PER_RUN };
  const own = metered(env, allowance);
  const database = namedDatabases(own).find((known) => known.name === name)?.database ?? unmetered;
  let job: Job | null = null;
  const line = (fields: { outcome: "done" | "continued" | "fault"; files: number; fault?: string }) =>
    logLine({
      unit: "job",
      job_id: job?.job_id ?? null,
      ...fields,
      milliseconds: Date.now() - startedAtMs,
    });
  try {
    const next = await nextJob(database);
    // A message from before the last run is one too many, because that run has sent one on. A pause of the queue makes such.
    if (next === null || sentAtMs + CLOCKS_DIFFER_MS < next.continued_at) return null;
    job = await claimJob(database, next.job_id, startedAtMs, startedAtMs + CLAIM_MS);
    if (job === null) return null;
    const after = await runJob(own, database, job, { startedAtMs, allowance });
    line({
      outcome: after.finished_at === null ? "continued" : "done",
      files: after.looked_at - job.looked_at,
    });
    if ((await nextJob(database)) !== null) await env.JOBS.send({ database: name });
    return null;
  } catch (fault) {
    line({ outcome: "fault", files: 0, fault: faultName(fault) });
    return job === null ? FAULT_PAUSE_SECONDS : pauseAfterFault(database, job, startedAtMs);
  }
}

/** Releases the job after a fault, and returns the seconds until its next try. They double while only this job waits. */
async function pauseAfterFault(database: D1Database, job: Job, startedAtMs: number): Promise<number> {
  try {
    await withRetries(async () => releaseJob(database, job.job_id, startedAtMs));
    if ((await nextJob(database))?.job_id !== job.job_id) return FAULT_PAUSE_SECONDS;
  } catch {
    // The claim expires by itself, and the clock sends the message again.
  }
  return FAULT_PAUSE_SECONDS * 2 ** (Math.min(job.claims, MAX_TRIES) - 1);
}
