import { databaseFor } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { userHash } from "../identifiers.ts";
import { beginSweep } from "./sweep.ts";
import { beginErasure } from "./write.ts";

/**
 * Erases a user of a partner: collectors, objects, rows. Returns false when the user is unknown. The bound is written
 * first, so that work in flight writes nothing back. What a fault, a crash or a long history leaves, the clock erases;
 * it also sweeps once more after every consumer of today has ended. Pinging the user again starts afresh.
 */
export async function eraseUser(
  env: Env,
  partnerId: string,
  userId: string,
  nowMs: number,
): Promise<boolean> {
  const database = databaseFor(env, partnerId);
  const user = { user_id: userId, user_hash: userHash(partnerId, userId) };
  const erasure = await beginErasure(database, partnerId, user, nowMs);
  if (erasure === null) return false;
  await beginSweep(env, database, erasure, nowMs);
  return true;
}
