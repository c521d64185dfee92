import { settleAll, valuesOf } from "../concurrency/settleAll.ts";
import { USAGE_DAYS } from "../contract/limits.ts";
import { sumOverDatabases, wholeInvocation, type Allowance } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { dayOf } from "../contract/days.ts";
import { usageKey } from "./usage.ts";
import { deleteOldDays, markPublished, readDueUsage } from "./write.ts";

/** Maximum number of partners that one run publishes for each database. */
const PARTNERS_PER_RUN = 500;
/** Number of writes to KV at a time: the platform's limit of open connections per invocation. */
const AT_ONCE = 6;

/**
 * Publishes the usage of partners to KV if it has changed by 1 % since it was last published, or if users were erased.
 * Returns the number of partners published.
 */
export async function sweepUsage(
  env: Env,
  nowMs = Date.now(),
  allowance: Allowance = wholeInvocation(),
): Promise<number> {
  return sumOverDatabases(env, { nowMs, allowance }, async (database) => {
    const due = await readDueUsage(database, PARTNERS_PER_RUN);
    const results = await settleAll(due, AT_ONCE, async (usage) => {
      const { partner_id, ...published } = usage;
      await env.PARTNERS.put(usageKey(partner_id), JSON.stringify(published));
      return usage;
    });
    const done = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    if (done.length > 0) await markPublished(database, done);
    valuesOf(results);
    return done.length;
  });
}

/** Maximum number of days that one run deletes in each database. */
const DAYS_PER_RUN = 1_000;

/** Deletes days of usage that are older than `USAGE_DAYS`. Returns their number. */
export async function sweepUsageDays(env: Env, nowMs: number, allowance: Allowance): Promise<number> {
  return sumOverDatabases(env, { nowMs, allowance }, async (database) =>
    deleteOldDays(database, dayOf(nowMs) - USAGE_DAYS + 1, DAYS_PER_RUN),
  );
}
