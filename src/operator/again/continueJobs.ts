import { collectorListed } from "../../collector/client.ts";
import { identityOf } from "../../collector/identity.ts";
import { databaseFor, sumOverDatabases } from "../../database/databases.ts";
import type { Env } from "../../env.ts";
import {
  claimAgainJob,
  releaseAgainJob,
  saveAgainJob,
  type AgainJob,
  type AgainParameters,
} from "./write.ts";
import { nextCollector, START } from "./findCollectors.ts";
import { projectPage } from "./projectPage.ts";

/** Number of files in one page: as many as an importer makes readable in one transaction. */
const PAGE_FILES = 25;
/** A scheduled run starts no further page after this time. The next run continues. */
const RUN_MS = 20_000;
/** Time after which a run continues the next job, so that jobs of several partners take turns. */
const TURN_MS = 5_000;
/** Maximum number of pages of a run. A page makes at most three queries; D1 allows 1,000 to an invocation. */
const PAGES_PER_RUN = 250;
/** Lifetime of a claim. Then another run continues the job of a run that died. */
const CLAIM_MS = 5 * 60_000;

/** Continues the jobs of each database in turn. Returns the number of files examined. */
export async function continueAgainJobs(env: Env, nowMs: number): Promise<number> {
  return sumOverDatabases(env, async (database) => {
    let files = 0;
    const startedAt = Date.now();
    const budget = { pages: PAGES_PER_RUN, untilMs: startedAt + RUN_MS };
    while (budget.pages > 0 && Date.now() < budget.untilMs) {
      const elapsedMs = Date.now() - startedAt;
      const job = await claimAgainJob(database, nowMs + elapsedMs, nowMs + elapsedMs + CLAIM_MS);
      if (job === null) break;
      try {
        files += await continueJob(env, database, job, budget, nowMs + elapsedMs);
      } catch (fault) {
        // The job becomes the last in the order, so the next run continues another one first.
        await releaseAgainJob(database, job.job_id, nowMs + elapsedMs);
        throw fault;
      }
    }
    return files;
  });
}

async function continueJob(
  env: Env,
  database: D1Database,
  claimed: AgainJob,
  budget: { pages: number; untilMs: number },
  nowMs: number,
): Promise<number> {
  const untilMs = Math.min(budget.untilMs, Date.now() + TURN_MS);
  let job = claimed;
  // The previous run died in its page. Process that page file by file, to isolate the file that caused it.
  let singleFiles = claimed.claims > 1 ? PAGE_FILES : 0;
  do {
    job = await projectNext(env, database, job, singleFiles > 0 ? 1 : PAGE_FILES);
    await saveAgainJob(database, job, Date.now() + CLAIM_MS);
    singleFiles -= 1;
    budget.pages -= 1;
  } while (job.finished_at === null && budget.pages > 0 && Date.now() < untilMs);
  // A claim that has just ended makes this job the last in the order.
  await saveAgainJob(database, job, nowMs);
  return job.looked_at - claimed.looked_at;
}

/** Processes the next page of the collector at hand, or else finds the next collector. */
async function projectNext(env: Env, database: D1Database, job: AgainJob, limit: number): Promise<AgainJob> {
  const position = job.after_file ?? START;
  const { collector, file } = position;
  if (collector === null) {
    const next = await nextCollector(env, database, job.parameters, position);
    return { ...job, after_file: next, finished_at: next === null ? Date.now() : null };
  }
  const found = await collectorListed(env, collector).readPage(file, limit);
  const done = { ...position, collector: null, file: "" };
  if (found === null || !isWanted(found.names, job.parameters)) return { ...job, after_file: done };
  const after_file = found.next === null ? done : { ...position, file: found.next };
  if (limit === 1) {
    // Count the file as failed first. If it kills this run, the next run continues after it.
    const skipped = {
      looked_at: job.looked_at + found.files.length,
      failed: job.failed + found.files.length,
    };
    await saveAgainJob(database, { ...job, ...skipped, after_file }, Date.now() + CLAIM_MS);
  }
  const page = await projectPage(env, databaseFor(env, identityOf(found.names)), found);
  return {
    ...job,
    after_file,
    looked_at: job.looked_at + page.files,
    changed: job.changed + page.changed,
    failed: job.failed + page.failed,
  };
}

function isWanted(
  names: { partner_id: string; user_id: string },
  { partner_id, user_id }: AgainParameters,
): boolean {
  return (
    (partner_id === null || names.partner_id === partner_id) &&
    (user_id === null || names.user_id === user_id)
  );
}
