import { allDatabases } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { deleteOldMissing } from "./write.ts";

/** As long as a ping is held: after that, what was expected does not come for this import. */
const MISSING_KEPT_FOR_MS = 30 * 24 * 60 * 60_000;
/** A slice may be 600,000 characters: a run deletes some hundred megabytes at most. */
const SLICES_PER_RUN = 1_000;

/** Deletes lists of missing files that are old. Returns how many slices. */
export async function sweepMissing(env: Env, nowMs: number): Promise<number> {
  let deleted = 0;
  for (const database of allDatabases(env)) {
    deleted += await deleteOldMissing(database, nowMs - MISSING_KEPT_FOR_MS, SLICES_PER_RUN);
  }
  return deleted;
}
