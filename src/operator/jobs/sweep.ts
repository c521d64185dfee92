import { sumOverDatabases, wholeInvocation, type Allowance } from "../../database/databases.ts";
import type { Env } from "../../env.ts";
import { deleteFinishedJobs } from "./write.ts";

/** Time for an operator to read the result of a job. Longer than the log is kept. */
const FINISHED_JOB_KEPT_FOR_MS = 30 * 24 * 60 * 60_000;

/** The same for jobs that name a user, because no erasure finds them. Longer than a command waits for its result. */
const JOB_OF_USER_KEPT_FOR_MS = 60 * 60_000;

/** Deletes jobs that finished long ago. Returns how many. */
export async function sweepFinishedJobs(
  env: Env,
  nowMs: number,
  allowance: Allowance = wholeInvocation(),
): Promise<number> {
  return sumOverDatabases(env, { nowMs, allowance }, async (database) =>
    deleteFinishedJobs(database, nowMs - FINISHED_JOB_KEPT_FOR_MS, nowMs - JOB_OF_USER_KEPT_FOR_MS),
  );
}
