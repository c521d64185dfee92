import { ERASURE_KEPT_FOR_MS } from "../../contract/limits.ts";
import { sumOverDatabases, wholeInvocation, type Allowance } from "../../database/databases.ts";
import type { Env } from "../../env.ts";
import { deleteExpiredDeletions } from "./write.ts";

/** Maximum number of bounds that one run deletes in each database: more than partners delete within a minute. */
const EXPIRED_PER_RUN = 10_000;

/** Deletes bounds of deleted files that are older than any stored or delayed work can be. Returns how many. */
export async function sweepExpiredDeletions(
  env: Env,
  nowMs: number,
  allowance: Allowance = wholeInvocation(),
): Promise<number> {
  return sumOverDatabases(env, { nowMs, allowance }, async (database) =>
    deleteExpiredDeletions(database, nowMs - ERASURE_KEPT_FOR_MS, EXPIRED_PER_RUN),
  );
}
