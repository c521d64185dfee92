import { allDatabases } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { deleteExpiredRequests } from "./write.ts";

/** One statement stays short. */
const RECORDS_PER_PAGE = 10_000;
/** Together more than several partners bring in a minute at the highest rate: the records never grow beyond their day. */
const PAGES_PER_RUN = 10;

/** Forgets requests whose day is over. Answers how many. */
export async function sweepIdempotentRequests(env: Env, nowMs: number): Promise<number> {
  let deleted = 0;
  for (const database of allDatabases(env)) {
    for (let page = 0; page < PAGES_PER_RUN; page += 1) {
      const found = await deleteExpiredRequests(database, nowMs, RECORDS_PER_PAGE);
      deleted += found;
      if (found < RECORDS_PER_PAGE) break;
    }
  }
  return deleted;
}
