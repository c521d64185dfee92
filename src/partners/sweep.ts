import { settleAll, valuesOf } from "../concurrency/settleAll.ts";
import { sumOverDatabases, type Allowance } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { publishNewest } from "./change.ts";
import { storesWith } from "./stores.ts";
import { readUnpublished, runOn } from "./write.ts";

/** Maximum number of partners whose settings one run publishes for each database. A failed one is due when its claim expires. */
const PARTNERS_PER_RUN = 8;

/** Publishes stored settings that no publisher has written to KV. Returns their number. */
export async function sweepSettings(env: Env, nowMs: number, allowance: Allowance): Promise<number> {
  return sumOverDatabases(env, { nowMs, allowance }, async (database) => {
    const run = runOn(database);
    const due = await readUnpublished(run, PARTNERS_PER_RUN);
    valuesOf(await settleAll(due, 1, async (partnerId) => publishNewest(storesWith(env, run), partnerId)));
    return due.length;
  });
}
