import { collectorFor } from "../collector/client.ts";
import { settleAll } from "../concurrency/settleAll.ts";
import { allDatabases } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { readRound } from "./read.ts";
import { saveRound } from "./write.ts";

/** Collectors that one run of the clock wakes in each database: 288,000 a day. */
export const COLLECTORS_PER_RUN = 200;
const AT_ONCE = 10;

/**
 * Wakes the next collectors of the round over all sources, so that none stays without its alarm, which the platform
 * gives up after six failures. Returns how many had lost theirs. A collector that cannot be reached is left to the next
 * round.
 */
export async function sweepSources(env: Env): Promise<number> {
  let found = 0;
  for (const database of allDatabases(env)) {
    const places = await readRound(database, COLLECTORS_PER_RUN);
    const woken = await settleAll(places, AT_ONCE, async (names) => collectorFor(env, names).wake());
    found += woken.filter((result) => result.status === "fulfilled" && result.value).length;
    await saveRound(database, places.length < COLLECTORS_PER_RUN ? null : (places.at(-1) ?? null));
  }
  return found;
}
