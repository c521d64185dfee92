import { valuesOf } from "../concurrency/settleAll.ts";
import { databaseFor, type Owner } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { userHash } from "../identifiers.ts";
import { readSources } from "../sources/read.ts";
import { beginSweep } from "./sweep.ts";
import { callCollectors, visitCollectors } from "./visit.ts";
import { beginErasure } from "./write.ts";

/** Maximum number of collectors that are erased before the response. The clock visits the others. Users have fewer. */
const SOURCES_BEFORE_ANSWER = 200;

/**
 * Erases a user of a partner: collectors, objects, rows. Returns false when the user is unknown. Throws when a
 * collector cannot be reached. The bound is written first, so that work in flight writes nothing back. After the
 * return, every collector knows of the erasure, and a new ping of the user starts without old data. The clock erases
 * the rest of a long history, continues after a fault or crash, and sweeps once more after all work in flight has
 * ended.
 */
export async function eraseUser(env: Env, owner: Owner, userId: string, nowMs: number): Promise<boolean> {
  const partnerId = owner.partner_id;
  const database = databaseFor(env, owner);
  const user = { user_id: userId, user_hash: userHash(partnerId, userId) };
  const sources = await readSources(database, partnerId, userId, "", SOURCES_BEFORE_ANSWER);
  // Versions may be ahead of this clock, so the bound covers them as well.
  const newestVersions = await callCollectors(
    env,
    { partner_id: partnerId, user_id: userId },
    sources,
    async (collector) => collector.newestVersion(),
  );
  const boundMs = valuesOf(newestVersions).reduce((most, version) => Math.max(most, version), nowMs);
  const erasure = await beginErasure(database, partnerId, user, boundMs);
  if (erasure === null) return false;
  const visits = await visitCollectors(env, erasure, sources);
  const visited = new Map(
    visits.flatMap((visit, index) =>
      visit.status === "fulfilled" ? [[sources[index] ?? "", visit.value] as const] : [],
    ),
  );
  await beginSweep(env, owner.database, erasure, visited, nowMs);
  valuesOf(visits);
  return true;
}
