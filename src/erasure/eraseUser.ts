import { valuesOf } from "../concurrency/settleAll.ts";
import { databaseFor } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { userHash } from "../identifiers.ts";
import { readSources } from "../sources/read.ts";
import { beginSweep } from "./sweep.ts";
import { callCollectors, visitCollectors } from "./visit.ts";
import { beginErasure } from "./write.ts";

/** Sources whose collectors know of the erasure before the answer. No user has so many; the clock visits the others. */
const SOURCES_BEFORE_ANSWER = 200;

/**
 * Erases a user of a partner: collectors, objects, rows. Returns false when the user is unknown. The bound is written
 * first, so that work in flight writes nothing back. Once this has returned, every collector knows of it, so pinging
 * the user again starts afresh; it throws when a collector cannot be reached. What a fault, a crash or a long history
 * leaves, the clock erases; it also sweeps once more after every consumer of today has ended.
 */
export async function eraseUser(
  env: Env,
  partnerId: string,
  userId: string,
  nowMs: number,
): Promise<boolean> {
  const database = databaseFor(env, partnerId);
  const user = { user_id: userId, user_hash: userHash(partnerId, userId) };
  const sources = await readSources(database, partnerId, userId, "", SOURCES_BEFORE_ANSWER);
  // Versions may be ahead of this clock: the bound reaches as far.
  const asked = await callCollectors(
    env,
    { partner_id: partnerId, user_id: userId },
    sources,
    async (collector) => collector.newestVersion(),
  );
  const boundMs = valuesOf(asked).reduce((most, version) => Math.max(most, version), nowMs);
  const erasure = await beginErasure(database, partnerId, user, boundMs);
  if (erasure === null) return false;
  const visits = await visitCollectors(env, erasure, sources);
  const visited = new Map(
    visits.flatMap((visit, index) =>
      visit.status === "fulfilled" ? [[sources[index] ?? "", visit.value] as const] : [],
    ),
  );
  await beginSweep(env, database, erasure, visited, nowMs);
  valuesOf(visits);
  return true;
}
