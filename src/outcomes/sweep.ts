import { settleAll } from "../concurrency/settleAll.ts";
import { OUTCOMES_GATHERED_FOR_MS } from "../contract/limits.ts";
import { sumOverDatabases, wholeInvocation, type Allowance } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { gatherOutcomes } from "./client.ts";
import { partnersBehind } from "./read.ts";

/** Maximum number of partners that one run calls in each database. Those that wait longest are first. */
const PARTNERS_PER_RUN = 200;
const CALLS_AT_ONCE = 20;

/** Has outcomes gathered that no call announced, or whose call was lost. Returns for how many partners. */
export async function sweepOutcomes(
  env: Env,
  nowMs: number,
  allowance: Allowance = wholeInvocation(),
): Promise<number> {
  return sumOverDatabases(env, { nowMs, allowance }, async (db, database) => {
    const partners = await partnersBehind(db, nowMs - OUTCOMES_GATHERED_FOR_MS, PARTNERS_PER_RUN);
    await settleAll(partners, CALLS_AT_ONCE, async (partner_id) =>
      gatherOutcomes(env, { partner_id, database }),
    );
    return partners.length;
  });
}
