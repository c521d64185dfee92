import { collectorOfId } from "../collector/client.ts";
import { settleAll, valuesOf } from "../concurrency/settleAll.ts";
import { wait } from "../concurrency/wait.ts";
import type { Env } from "../env.ts";
import { decodeFile } from "../activities/decodeFile.ts";
import { DECODER_VERSION } from "../fit/index.ts";
import { withStoredBytes } from "./withStoredBytes.ts";
import {
  filesToRedecode,
  listFailures,
  replaceDecoded,
  saveJob,
  unlistFailure,
  type Job,
  type PageBounds,
  type RedecodedFile,
  type StoredFile,
} from "./write.ts";

/** Bounds of a page: its files are decoded in seconds, and written in one batch. */
const PAGE: PageBounds = { files: 100, bytes: 16 * 1024 * 1024 };
const SINGLE_FILE: PageBounds = { files: 1, bytes: 0 };
/** Number of files that are read and decoded at the same time. */
const CONCURRENT_FILES = 6;
/** A run starts no further page after this time, nor after this many statements. D1 allows an invocation 1,000. */
const RUN_MS = 5_000;
const STATEMENTS_PER_RUN = 500;
/** What is left of a run. The runs of one invocation, in several databases, share it. */
export interface RunBudget {
  startedAtMs: number;
  statements: number;
}
/** Lifetime of a claim. Then another run continues the job of a run that died. */
export const CLAIM_MS = 2 * 60_000;
/** Maximum number of failures that a job lists. It counts all. */
const MAX_LISTED = 10_000;

/** Code of a file during whose decoding the isolate ended. */
const CRASHED = "crashed";

type Result =
  | { kind: "decoded"; decoded: RedecodedFile }
  | { kind: "queued" }
  | { kind: "unchanged" }
  | { kind: "failed"; code: string };

export function newRunBudget(nowMs: number): RunBudget {
  return { startedAtMs: nowMs, statements: STATEMENTS_PER_RUN };
}

export function isUsedUp({ startedAtMs, statements }: RunBudget): boolean {
  return statements <= 0 || Date.now() - startedAtMs >= RUN_MS;
}

/**
 * Continues a claimed job by some pages, and releases it. Returns the job. Throws when a store fails: the page is not
 * counted, and the next run repeats it.
 */
export async function runJob(env: Env, database: D1Database, claimed: Job, budget: RunBudget): Promise<Job> {
  let job = claimed;
  // The previous run died in its page. Decode that page file by file, to isolate the file that caused it.
  let singleFiles = claimed.claims > 1 ? PAGE.files : 0;
  while (job.finished_at === null && !isUsedUp(budget)) {
    const pageStartedAt = Date.now();
    const page = await redecodePage(env, database, job, singleFiles > 0 ? SINGLE_FILE : PAGE);
    job = page.job;
    budget.statements -= page.statements;
    singleFiles -= 1;
    // Leaves half of the time to live rides and requests. Locally they share the isolate and its thread.
    await wait(Date.now() - pageStartedAt);
  }
  await saveJob(database, job, budget.startedAtMs).run();
  return job;
}

async function redecodePage(
  env: Env,
  database: D1Database,
  job: Job,
  bounds: PageBounds,
): Promise<{ job: Job; statements: number }> {
  const { files, end, isLast } = await filesToRedecode(database, job, DECODER_VERSION, bounds);
  const advanced: Job = {
    ...job,
    ...end,
    looked_at: job.looked_at + files.length,
    finished_at: isLast ? Date.now() : null,
  };
  const alone = bounds === SINGLE_FILE ? files[0] : undefined;
  if (alone !== undefined) {
    // Count the file as failed first. If it kills this run, the next run continues after it.
    await database.batch([
      saveJob(database, { ...advanced, failed: job.failed + 1 }, Date.now() + CLAIM_MS),
      listFailures(database, job.job_id, [{ file: alone, code: CRASHED }]),
    ]);
  }
  let results: Result[];
  try {
    results = valuesOf(
      await settleAll(files, CONCURRENT_FILES, async (file) => redecodeFile(env, job, file)),
    );
  } catch (fault) {
    // A store has failed, not the file: the next run begins with it.
    if (alone !== undefined) {
      await database.batch([
        saveJob(database, job, Date.now() + CLAIM_MS),
        unlistFailure(database, job.job_id, alone),
      ]);
    }
    throw fault;
  }
  const decoded = results.flatMap((result) => (result.kind === "decoded" ? result.decoded : []));
  const failures = results.flatMap((result, index) => {
    const file = files[index];
    return result.kind === "failed" && file !== undefined ? { file, code: result.code } : [];
  });
  const groups = [...Map.groupBy(decoded, ({ file }) => file.partner_id)].map(([partnerId, ofPartner]) =>
    replaceDecoded(database, partnerId, ofPartner, DECODER_VERSION),
  );
  const others = [
    ...(alone === undefined ? [] : [unlistFailure(database, job.job_id, alone)]),
    ...(failures.length > 0 && job.failed < MAX_LISTED ? [listFailures(database, job.job_id, failures)] : []),
  ];
  const statements = [...groups.flat(), ...others];
  const written = statements.length === 0 ? [] : await database.batch(statements);
  let changed = results.filter(({ kind }) => kind === "queued").length;
  let at = 0;
  for (const group of groups) {
    changed += written[at]?.meta.changes ?? 0;
    at += group.length;
  }
  const done = { ...advanced, changed: job.changed + changed, failed: job.failed + failures.length };
  await saveJob(database, done, Date.now() + CLAIM_MS).run();
  return { job: done, statements: statements.length + 4 };
}

/** Decodes a readable file, or queues a failed one again from its stored bytes. Throws when a store fails. */
async function redecodeFile(env: Env, job: Job, file: StoredFile): Promise<Result> {
  if (job.parameters.code !== null) {
    const { partner_id, file_id } = file;
    const queued = await collectorOfId(env, partner_id, file_id).retry({ file_ids: [file_id] }, 1);
    return { kind: queued > 0 ? "queued" : "unchanged" };
  }
  const object = file.object_key === null ? null : await env.FILES.get(file.object_key);
  if (object === null) return { kind: "failed", code: "original_missing" };
  const read = await withStoredBytes(file.partner_id, object, (bytes) => decodeFile(bytes, file));
  if (read === null) throw new Error("no memory for a stored file");
  if (!read.value.ok) return { kind: "failed", code: read.value.code };
  const { activities, warnings } = read.value.decoded;
  // Laps, lengths and devices are not stored. A page of them would be large.
  const stored = activities.map((activity) => ({ ...activity, laps: [], lengths: [], devices: [] }));
  return { kind: "decoded", decoded: { file, warnings, activities: stored } };
}
