import { collectorFor } from "../collector/client.ts";
import { clockFor } from "../collector/clock.pure.ts";
import { settleAll } from "../concurrency/settleAll.ts";
import { sumOverDatabases, wholeInvocation, type Allowance } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { readRound } from "./read.ts";
import { saveRound } from "./write.ts";

const AT_ONCE = 10;

/**
 * Wakes the next collectors of the round over all sources. Each sets its alarm if the platform has dropped it after six
 * failures. Returns the number of alarms that were set. Collectors that cannot be reached wait for the next round.
 */
export async function sweepSources(
  env: Env,
  nowMs = Date.now(),
  allowance: Allowance = wholeInvocation(),
): Promise<number> {
  const { wakesPerRun } = clockFor(env.ENVIRONMENT);
  return sumOverDatabases(env, { nowMs, allowance }, async (database) => {
    const places = await readRound(database, wakesPerRun);
    const woken = await settleAll(places, AT_ONCE, async (names) => collectorFor(env, names).wake());
    await saveRound(database, places.length < wakesPerRun ? null : (places.at(-1) ?? null));
    return woken.filter((result) => result.status === "fulfilled" && result.value).length;
  });
}
