import { allDatabases } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { deleteExpiredRequests } from "./write.ts";

/** More than a minute brings at the highest rate of a partner; one statement stays short. */
const RECORDS_PER_RUN = 10_000;

/** Forgets requests whose day is over. Answers how many. */
export async function sweepIdempotentRequests(env: Env, nowMs: number): Promise<number> {
  let deleted = 0;
  for (const database of allDatabases(env)) {
    deleted += await deleteExpiredRequests(database, nowMs, RECORDS_PER_RUN);
  }
  return deleted;
}
