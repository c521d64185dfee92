import { allDatabases } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { deleteFinishedJobs } from "./write.ts";

/** Whoever asked for a job has read what came of it; the log keeps its runs for less. */
const FINISHED_JOB_KEPT_FOR_MS = 30 * 24 * 60 * 60_000;

/** Forgets jobs that were finished long ago. Answers how many. */
export async function sweepFinishedJobs(env: Env, nowMs: number): Promise<number> {
  let deleted = 0;
  for (const database of allDatabases(env)) {
    deleted += await deleteFinishedJobs(database, nowMs - FINISHED_JOB_KEPT_FOR_MS);
  }
  return deleted;
}
