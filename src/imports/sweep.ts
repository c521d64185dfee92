import { HELD_FOR_MS } from "../contract/limits.ts";
import { sumOverDatabases, wholeInvocation, type Allowance } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { deleteOldMissing } from "./write.ts";

/** A slice has at most 600,000 characters: one run deletes a few hundred megabytes at most. */
const SLICES_PER_RUN = 1_000;

/**
 * Deletes lists of missing files that are older than the time a ping is held: a file that is expected for longer belongs
 * to a later import. Returns the number of slices.
 */
export async function sweepMissing(
  env: Env,
  nowMs: number,
  allowance: Allowance = wholeInvocation(),
): Promise<number> {
  return sumOverDatabases(env, { nowMs, allowance }, async (database) =>
    deleteOldMissing(database, nowMs - HELD_FOR_MS, SLICES_PER_RUN),
  );
}
