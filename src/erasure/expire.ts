import { ERASURE_KEPT_FOR_MS } from "../contract/limits.ts";
import { sumOverDatabases, wholeInvocation, type Allowance } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { deleteExpiredErasures } from "./write.ts";

/** Maximum number of erasures that one run deletes in each database: more than complete within a minute. */
const EXPIRED_PER_RUN = 1_000;

/** Deletes erasures that are older than any stored or delayed work can be. Returns how many. */
export async function sweepExpiredErasures(
  env: Env,
  nowMs: number,
  allowance: Allowance = wholeInvocation(),
): Promise<number> {
  return sumOverDatabases(env, { nowMs, allowance }, async (database) =>
    deleteExpiredErasures(database, nowMs - ERASURE_KEPT_FOR_MS, EXPIRED_PER_RUN),
  );
}
