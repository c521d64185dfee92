import { ERASURE_KEPT_FOR_MS } from "../collector/ages.pure.ts";
import { allDatabases } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { deleteExpiredErasures } from "./write.ts";

/** Erasures that one run forgets in each database: more than a minute can complete. */
const EXPIRED_PER_RUN = 1_000;

/** Forgets erasures that no stored or delayed work can be older than. Returns how many. */
export async function sweepExpiredErasures(env: Env, nowMs: number): Promise<number> {
  let deleted = 0;
  for (const database of allDatabases(env)) {
    deleted += await deleteExpiredErasures(database, nowMs - ERASURE_KEPT_FOR_MS, EXPIRED_PER_RUN);
  }
  return deleted;
}
