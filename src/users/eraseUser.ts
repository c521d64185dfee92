import { ERASURE_KEPT_FOR_MS } from "../collector/ages.ts";
import { settleAll, valuesOf } from "../concurrency.ts";
import { databaseFor } from "../database.ts";
import type { Env } from "../env.ts";
import { deleteObjects } from "../files/objectKeys.ts";
import { collectorName, userHash } from "../identifiers.ts";
import { faultName, logSetback } from "../log.ts";
import {
  beginErasure,
  deleteExpiredErasures,
  eraseRows,
  objectKeysOf,
  takeDueErasures,
  type Erasure,
} from "./write.ts";

/** R2 lists this many keys at a time. */
const PAGE = 1_000;
/** Erasures that one scheduled run carries on. */
const ERASURES_PER_RUN = 10;
/** Users that one scheduled run forgets: more than can be erased in a minute. */
const EXPIRED_PER_RUN = 1_000;
/** A user has a handful of sources; their collectors are visited this many at a time. */
const COLLECTORS_AT_ONCE = 10;

/**
 * Erases a user of a partner: collectors, objects, rows. False when the user is unknown. The bound is written
 * first, so that work in flight writes nothing back; a fault or crash after that is taken up by the clock, which
 * also sweeps once more after every consumer of today has ended. Pinging the user again starts afresh.
 */
export async function eraseUser(
  env: Env,
  partnerId: string,
  userId: string,
  nowMs: number,
): Promise<boolean> {
  const user = { user_id: userId, user_hash: userHash(partnerId, userId) };
  const erasure = await beginErasure(databaseFor(env, partnerId, user.user_hash), partnerId, user, nowMs);
  if (erasure === null) return false;
  try {
    await sweep(env, erasure, nowMs);
  } catch (fault) {
    logSetback("erased_later", { partner_id: partnerId, fault: faultName(fault) });
  }
  return true;
}

/** Carries on erasures whose next sweep is due; one that fails holds up no other. Answers how many were due. */
export async function sweepErasures(env: Env, nowMs: number): Promise<number> {
  const due = await takeDueErasures(databaseFor(env, "", null), nowMs, ERASURES_PER_RUN);
  for (const erasure of due) {
    try {
      await sweep(env, erasure, nowMs);
    } catch (fault) {
      const { partner_id, user_hash } = erasure;
      logSetback("erased_later", { partner_id, user_hash, fault: faultName(fault) });
    }
  }
  return due.length;
}

/** Forgets users whose erasure nothing can be older than any more. Returns how many. */
export async function sweepExpiredErasures(env: Env, nowMs: number): Promise<number> {
  return deleteExpiredErasures(databaseFor(env, "", null), nowMs - ERASURE_KEPT_FOR_MS, EXPIRED_PER_RUN);
}

async function sweep(env: Env, erasure: Erasure, nowMs: number): Promise<void> {
  const { partner_id, user_id, before_version } = erasure;
  const database = databaseFor(env, partner_id, erasure.user_hash);
  valuesOf(
    await settleAll(erasure.sources, COLLECTORS_AT_ONCE, async (source) =>
      env.COLLECTOR.getByName(collectorName(partner_id, user_id, source)).erase(before_version),
    ),
  );
  await deleteObjects(env.FILES, await objectKeysOf(database, erasure));
  await deleteVersions(env.FILES, `${partner_id}/${erasure.user_hash}/`, before_version);
  await database.batch(eraseRows(database, erasure, nowMs));
}

/** Downloaded versions carry their number as the last part of the key; later ones are of a new beginning. */
async function deleteVersions(files: R2Bucket, prefix: string, beforeVersion: number): Promise<void> {
  let cursor: string | undefined;
  do {
    const page = await files.list({ prefix, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) });
    const keys = page.objects.map((object) => object.key);
    await deleteObjects(
      files,
      keys.filter((key) => Number(key.slice(key.lastIndexOf("/") + 1)) <= beforeVersion),
    );
    cursor = page.truncated ? page.cursor : undefined;
  } while (cursor !== undefined);
}
