import { wait } from "../../concurrency/wait.ts";
import { withRetries } from "../../concurrency/withRetries.ts";
import { isUsedUp, type Allowance } from "../../database/databases.ts";
import type { Env } from "../../env.ts";
import { faultName } from "../../log.ts";
import { PROJECT_AGAIN } from "../again/again.ts";
import { REDECODE } from "../redecode/redecode.ts";
import type { Job, JobItem, JobKind, JobKindName, PageResult } from "./job.ts";
import { listFailures, saveJob, unlistFailures } from "./write.ts";

const KINDS: Record<JobKindName, JobKind> = { redecode: REDECODE, project_again: PROJECT_AGAIN };

/** A run starts no further page after this time. Jobs take turns. */
const RUN_MS = 5_000;
/** Lifetime of a claim. Then another run continues the job of a run that died. */
export const CLAIM_MS = 2 * 60_000;
/** Number of runs in which an item meets a fault before the job lists it as failed and goes on. */
export const MAX_TRIES = 6;
/** Maximum number of failures that a job lists. It counts all. */
const MAX_LISTED = 10_000;
/** Code of an item during which the isolate ended. */
const CRASHED = "crashed";

/** One run of a job. */
interface Run {
  /** The environment with metered databases. */
  env: Env;
  database: D1Database;
  kind: JobKind;
}

/**
 * Continues a claimed job by some pages, and releases it. Returns the job. Throws when a store fails: the next run repeats
 * the page. After a run without progress the items are processed one by one, to isolate the one that caused it.
 */
export async function runJob(
  env: Env,
  database: D1Database,
  claimed: Job,
  budget: { startedAtMs: number; allowance: Allowance },
): Promise<Job> {
  const kind = KINDS[claimed.kind];
  let job = claimed;
  let tries = claimed.claims;
  let itemsAlone = tries > 1 ? kind.pageFiles : 0;
  do {
    const pageStartedAt = Date.now();
    job = await runPage({ env, database, kind }, job, itemsAlone > 0, tries);
    tries = 1;
    itemsAlone -= 1;
    // Leaves half of the time to live rides and requests. Locally they share the isolate and its thread.
    await wait(Date.now() - pageStartedAt);
  } while (
    job.finished_at === null &&
    !isUsedUp(budget.allowance) &&
    Date.now() - budget.startedAtMs < RUN_MS
  );
  await saveJob(database, job, budget.startedAtMs).run();
  return job;
}

async function runPage(run: Run, job: Job, alone: boolean, tries: number): Promise<Job> {
  const { env, database, kind } = run;
  const isLastTry = alone && tries >= MAX_TRIES;
  const page = await kind.read(env, database, job, alone).catch((fault: unknown) => {
    const skipped = isLastTry ? kind.unreadable(job) : null;
    if (skipped === null) throw fault;
    const { item, after } = skipped;
    return { after, items: [item], process: async () => failed([item], faultName(fault)) };
  });
  const { after, items, process } = page;
  if (alone && items.length > 0) {
    // Count the item as failed first. If it kills this run, the next run continues after it.
    await database.batch([
      saveJob(database, { ...after, failed: job.failed + items.length }, Date.now() + CLAIM_MS),
      listFailures(database, job.job_id, failed(items, CRASHED).failures),
    ]);
  }
  try {
    return await saveResult(run, job, after, alone ? items : [], await process());
  } catch (fault) {
    if (!alone) throw fault;
    // A store has failed, and the isolate has not ended.
    if (isLastTry) {
      return withRetries(async () => saveResult(run, job, after, items, failed(items, faultName(fault))));
    }
    await withRetries(async () =>
      database.batch([
        saveJob(database, job, Date.now() + CLAIM_MS, tries),
        unlistFailures(database, job.job_id, items),
      ]),
    );
    throw fault;
  }
}

function failed(items: readonly JobItem[], code: string): PageResult {
  return { changed: 0, failures: items.map((item) => ({ ...item, code })) };
}

/** Stores the job after a page and lists its failures. `listed` are the items that were listed before. */
async function saveResult(
  { database }: Run,
  job: Job,
  after: Job,
  listed: readonly JobItem[],
  result: PageResult,
): Promise<Job> {
  const { changed, failures } = result;
  const done = {
    ...(result.after ?? after),
    changed: job.changed + changed,
    failed: job.failed + failures.length,
  };
  await database.batch([
    saveJob(database, done, Date.now() + CLAIM_MS),
    ...(listed.length > 0 ? [unlistFailures(database, job.job_id, listed)] : []),
    ...(failures.length > 0 && job.failed < MAX_LISTED ? [listFailures(database, job.job_id, failures)] : []),
  ]);
  return done;
}
