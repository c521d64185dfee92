import { ERASURE_KEPT_FOR_MS } from "../../contract/limits.ts";
import { isUsedUp, sumOverDatabases, wholeInvocation, type Allowance } from "../../database/databases.ts";
import type { Env } from "../../env.ts";
import { deleteStaleBatches, nextBatches, readRound } from "./write.ts";

/** Maximum number of batches in one page, and of files that they list, so that a statement stays short. */
const BATCHES_PER_PAGE = 1_000;
const FILES_PER_PAGE = 10_000;
/** Overwrites and retries make batches out of date, at most as fast as pings arrive. */
const PAGES_PER_RUN = 10;
/** Pause between two rounds. */
const REST_MS = 60 * 60_000;

/**
 * Deletes batches that are out of date: no file that they list names them any more. Deletes removals that are older than
 * readers may be. A round visits all batches, a few pages a run. Returns how many were deleted.
 */
export async function sweepBatches(
  env: Env,
  nowMs: number,
  allowance: Allowance = wholeInvocation(),
): Promise<number> {
  return sumOverDatabases(env, { nowMs, allowance }, async (database) =>
    sweepDatabase(database, nowMs, allowance),
  );
}

async function sweepDatabase(database: D1Database, nowMs: number, allowance: Allowance): Promise<number> {
  let deleted = 0;
  let position = await readRound(database, nowMs);
  for (let page = 0; page < PAGES_PER_RUN && position !== null && !isUsedUp(allowance); page += 1) {
    const found = await nextBatches(database, position, BATCHES_PER_PAGE);
    let files = 0;
    const end = found.findIndex((batch, index) => {
      files += batch.files;
      return index > 0 && files > FILES_PER_PAGE;
    });
    const through = found.at(end === -1 ? -1 : end - 1) ?? null;
    deleted += await deleteStaleBatches(
      database,
      { after: position, through },
      ERASURE_KEPT_FOR_MS,
      through === null ? nowMs + REST_MS : 0,
    );
    position = through;
  }
  return deleted;
}
