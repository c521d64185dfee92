import { isUsedUp, sumOverDatabases, wholeInvocation, type Allowance } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { deleteExpiredRequests } from "./write.ts";

/** Maximum number of records that one statement deletes, so that it does not occupy the database for long. */
const RECORDS_PER_PAGE = 10_000;
/** Maximum number of pages in one run. Deletes records faster than several partners create them at the highest rate. */
const PAGES_PER_RUN = 10;

/** Deletes the records of requests after their retention time. Returns their number. */
export async function sweepIdempotentRequests(
  env: Env,
  nowMs: number,
  allowance: Allowance = wholeInvocation(),
): Promise<number> {
  return sumOverDatabases(env, { nowMs, allowance }, async (database) => {
    let deleted = 0;
    for (let page = 0; page < PAGES_PER_RUN && !isUsedUp(allowance); page += 1) {
      const found = await deleteExpiredRequests(database, nowMs, RECORDS_PER_PAGE);
      deleted += found;
      if (found < RECORDS_PER_PAGE) break;
    }
    return deleted;
  });
}
