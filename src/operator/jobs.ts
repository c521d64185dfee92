import { z } from "zod";
import { withRetries } from "../concurrency/withRetries.ts";
import { allDatabases, sumOverDatabases } from "../database/databases.ts";
import type { Env, JobMessage } from "../env.ts";
import { faultName, logLine } from "../log.ts";
import { CLAIM_MS, isUsedUp, newRunBudget, runJob } from "./redecode.ts";
import { claimJob, nextJob, releaseJob } from "./write.ts";

/** Delay before a job continues after a fault of a store. */
const FAULT_PAUSE_SECONDS = 10;

/** Time after a run in which its message for the next run arrives. */
const HANDOVER_MS = 60_000;

/**
 * Sends the oldest job of each database to the queue, once, unless a run in any database has claimed it just now. The
 * runs send the job on by themselves; this starts jobs, and continues those whose message was lost. Returns the number of
 * jobs sent.
 */
export async function sendJobs(env: Env, nowMs: number): Promise<number> {
  const isRunning = new Map<string, boolean>();
  const waiting = () => [...isRunning].flatMap(([jobId, running]) => (running ? [] : [jobId]));
  try {
    await sumOverDatabases(env, async (database) => {
      const job = await nextJob(database);
      if (job === null) return 0;
      const isRecent = job.claimed_until + HANDOVER_MS > nowMs;
      isRunning.set(job.job_id, isRecent || isRunning.get(job.job_id) === true);
      return 1;
    });
  } finally {
    // The jobs of the other databases, when one is down.
    for (const jobId of waiting()) await env.JOBS.send({ job_id: jobId });
  }
  return waiting().length;
}

const messageSchema: z.ZodType<JobMessage> = z.object({ job_id: z.string() });

/** Continues the jobs that the messages name. Acknowledges each message, or retries it after a fault. Never throws. */
export async function consumeJobs(batch: MessageBatch, env: Env): Promise<void> {
  for (const message of batch.messages) {
    const parsed = messageSchema.safeParse(message.body);
    if (!parsed.success) {
      logLine({
        unit: "setback",
        outcome: "unreadable_message",
        queue: batch.queue,
        message_id: message.id,
      });
      message.ack();
      continue;
    }
    if (await continueJob(env, parsed.data.job_id)) message.ack();
    else message.retry({ delaySeconds: FAULT_PAUSE_SECONDS });
  }
}

/** Does one run of a job, in one database after the other, and sends the job on. Returns false after a fault. */
async function continueJob(env: Env, jobId: string): Promise<boolean> {
  const startedAt = Date.now();
  const line = (fields: { outcome: "done" | "continued" | "fault"; files: number; fault?: string }) =>
    logLine({ unit: "job", job_id: jobId, ...fields, milliseconds: Date.now() - startedAt });
  const budget = newRunBudget(startedAt);
  let isUnfinished = false;
  let hasFault = false;
  for (const database of allDatabases(env)) {
    if (isUsedUp(budget)) {
      isUnfinished = true;
      break;
    }
    let claimed = false;
    try {
      const job = await claimJob(database, jobId, startedAt, startedAt + CLAIM_MS);
      if (job === null) continue;
      claimed = true;
      const after = await runJob(env, database, job, budget);
      const files = after.looked_at - job.looked_at;
      isUnfinished ||= after.finished_at === null;
      line({ outcome: after.finished_at === null ? "continued" : "done", files });
    } catch (fault) {
      // If this fails as well, the claim expires by itself, and the clock sends the job again.
      if (claimed)
        await withRetries(async () => releaseJob(database, jobId, startedAt)).catch(() => undefined);
      line({ outcome: "fault", files: 0, fault: faultName(fault) });
      hasFault = true;
    }
  }
  // The retry of this message continues all databases.
  if (hasFault) return false;
  try {
    if (isUnfinished) await env.JOBS.send({ job_id: jobId });
    return true;
  } catch (fault) {
    line({ outcome: "fault", files: 0, fault: faultName(fault) });
    return false;
  }
}
