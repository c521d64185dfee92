import { collectorOfId } from "../collector/client.ts";
import { settleAll } from "../concurrency/settleAll.ts";
import { allDatabases } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { unwrap } from "../files/unwrap.ts";
import { decodeActivities, DECODER_VERSION } from "../fit/index.ts";
import { sharedMemory } from "../memory/budget.ts";
import { claimJob, filesToRedecode, replaceDecoded, saveJob, type Job, type StoredFile } from "./write.ts";

/** Number of files in one page of a job. */
const PAGE_FILES = 100;
/** Number of files that are decoded at the same time. */
const CONCURRENT_FILES = 4;
/** A scheduled run starts no further page after this time. The next run continues. */
const RUN_MS = 20_000;
/** Maximum wait for memory: longer than requests and imports hold it. After it, the file counts as failed. */
const MEMORY_WAIT_MS = 60_000;
/** Lifetime of a claim. Then another run continues the job of a run that died. */
const CLAIM_MS = 5 * 60_000;

type Result = "changed" | "unchanged" | "failed";

/** Continues the oldest job of each database by some pages. Returns the number of files examined. */
export async function continueJobs(env: Env, nowMs: number): Promise<number> {
  let files = 0;
  for (const database of allDatabases(env)) files += await continueJob(env, database, nowMs);
  return files;
}

async function continueJob(env: Env, database: D1Database, nowMs: number): Promise<number> {
  const claimed = await claimJob(database, nowMs, nowMs + CLAIM_MS);
  if (claimed === null) return 0;
  const startedAt = Date.now();
  let job = claimed;
  // The previous run died in its page. Decode that page file by file, to isolate the file that caused it.
  let singleFiles = claimed.claims > 1 ? PAGE_FILES : 0;
  while (job.finished_at === null && Date.now() - startedAt < RUN_MS) {
    job = await redecodePage(env, database, job, singleFiles > 0 ? 1 : PAGE_FILES);
    await saveJob(database, job, Date.now() + CLAIM_MS);
    singleFiles -= 1;
  }
  await saveJob(database, job, 0);
  return job.looked_at - claimed.looked_at;
}

async function redecodePage(env: Env, database: D1Database, job: Job, limit: number): Promise<Job> {
  const { files, next } = await filesToRedecode(database, job, DECODER_VERSION, limit);
  const last = files.at(-1);
  const advanced: Job = {
    ...job,
    ...next,
    looked_at: job.looked_at + files.length,
    finished_at: next === null ? Date.now() : null,
  };
  if (limit === 1 && last !== undefined) {
    // Count the file as failed first. If it kills this run, the next run continues after it.
    await saveJob(database, { ...advanced, failed: job.failed + 1 }, Date.now() + CLAIM_MS);
  }
  const results = await settleAll(files, CONCURRENT_FILES, async (file) =>
    redecodeFile(env, database, job, file),
  );
  const count = (expected: Result) =>
    results.filter((result) => (result.status === "fulfilled" ? result.value : "failed") === expected).length;
  return { ...advanced, changed: job.changed + count("changed"), failed: job.failed + count("failed") };
}

/** Decodes a readable file in place, or queues a failed one again from its stored bytes. Sends no event. */
async function redecodeFile(env: Env, database: D1Database, job: Job, file: StoredFile): Promise<Result> {
  if (job.parameters.code !== null) {
    const { partner_id, file_id } = file;
    const queued = await collectorOfId(env, partner_id, file_id).retry({ file_ids: [file_id] }, 1);
    return queued > 0 ? "changed" : "unchanged";
  }
  const object = file.object_key === null ? null : await env.FILES.get(file.object_key);
  if (object === null) return "unchanged";
  const untilMs = Date.now() + MEMORY_WAIT_MS;
  const hold = await sharedMemory(file.partner_id).reserve(object.size, () => untilMs);
  if (hold === null) {
    void object.body.cancel().catch(() => undefined);
    return "failed";
  }
  try {
    const unwrapped = unwrap(new Uint8Array(await object.arrayBuffer()));
    if (!unwrapped.ok) return "failed";
    const decoded = decodeActivities(unwrapped.fit, {
      fallbackStartInSeconds: Number(file.start_time_in_seconds),
      receivedAtInSeconds: file.received_at / 1000,
    });
    if (!decoded.ok) return "failed";
    const [updated] = await database.batch(replaceDecoded(database, file, decoded, DECODER_VERSION));
    return updated !== undefined && updated.meta.changes > 0 ? "changed" : "unchanged";
  } finally {
    hold.release();
  }
}
