import { collectorOfId } from "../collector/client.ts";
import { settleAll } from "../concurrency/settleAll.ts";
import { allDatabases } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { unwrap } from "../files/unwrap.ts";
import { decodeActivities, DECODER_VERSION } from "../fit/index.ts";
import { sharedMemory } from "../memory/budget.ts";
import { claimJob, filesToRedecode, replaceDecoded, saveJob, type Job, type StoredFile } from "./write.ts";

/** Files that one page of a job holds, and how many of them are decoded at a time. */
const PAGE = 100;
const AT_ONCE = 4;
/** A run of the clock takes on no further page after this; the next run goes on. */
const RUN_MS = 20_000;
/** Longer than requests and imports hold memory. A file that finds none counts as failed. */
const MEMORY_WAIT_MS = 60_000;
/** A run that died is taken over after this. */
const CLAIM_MS = 5 * 60_000;

type Result = "changed" | "unchanged" | "failed";

/** Continues each database's oldest job by some pages. Returns how many files it looked at. */
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
  // The run before died over its page: this one goes through it file by file, to find which one kills.
  let alone = claimed.claims > 1 ? PAGE : 0;
  while (job.finished_at === null && Date.now() - startedAt < RUN_MS) {
    job = await redecodePage(env, database, job, alone > 0 ? 1 : PAGE);
    await saveJob(database, job, Date.now() + CLAIM_MS);
    alone -= 1;
  }
  await saveJob(database, job, 0);
  return job.looked_at - claimed.looked_at;
}

async function redecodePage(env: Env, database: D1Database, job: Job, limit: number): Promise<Job> {
  const { files, next } = await filesToRedecode(database, job, DECODER_VERSION, limit);
  const last = files.at(-1);
  const passed: Job = {
    ...job,
    ...next,
    looked_at: job.looked_at + files.length,
    finished_at: next === null ? Date.now() : null,
  };
  if (limit === 1 && last !== undefined) {
    // Should this file kill the run, it has failed, and the next run goes on behind it.
    await saveJob(database, { ...passed, failed: job.failed + 1 }, Date.now() + CLAIM_MS);
  }
  const results = await settleAll(files, AT_ONCE, async (file) => redecodeFile(env, database, job, file));
  const count = (wanted: Result) =>
    results.filter((result) => (result.status === "fulfilled" ? result.value : "failed") === wanted).length;
  return { ...passed, changed: job.changed + count("changed"), failed: job.failed + count("failed") };
}

/** No download and no event: a readable file is decoded in place, a failed one is queued again from its bytes. */
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
    });
    if (!decoded.ok) return "failed";
    const [updated] = await database.batch(replaceDecoded(database, file, decoded, DECODER_VERSION));
    return updated !== undefined && updated.meta.changes > 0 ? "changed" : "unchanged";
  } finally {
    hold.release();
  }
}
