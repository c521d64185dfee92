import { collectorNamed } from "../collector/client.ts";
import { settleAll } from "../concurrency/settleAll.ts";
import { withRetries } from "../concurrency/withRetries.ts";
import {
  allDatabases,
  isUsedUp,
  namedDatabases,
  sumOverDatabases,
  wholeInvocation,
  type Allowance,
} from "../database/databases.ts";
import type { Env } from "../env.ts";
import { collectorNameOfId } from "../identifiers.ts";
import { faultName, logLine } from "../log.ts";
import { readPartner } from "../partners/registry.ts";
import { hourOf, INLINE_PREFIX, inlineKeyParts } from "./objectKeys.ts";
import {
  discardObjects,
  forgetDiscarded,
  readDiscarded,
  readInlineRound,
  saveInlineRound,
  unnamedObjects,
  type NamedObject,
  type UnnamedObject,
} from "./write.ts";

/** Maximum number of keys in one R2 delete or list. */
const PAGE = 1_000;
/** An importer may run for 15 minutes, and may store a version after that version was replaced. */
const GRACE_MS = 20 * 60_000;
/** Maximum number of pages in one run of either sweep, so that the run stays short. */
const PAGES_PER_RUN = 10;
/** Number of collectors that the sweep of inline bytes asks at a time. */
const COLLECTORS_AT_ONCE = 10;
const HOUR_MS = 60 * 60_000;

/** Deletes objects that no file names any more, a few pages a run. Returns how many. */
export async function sweepDiscardedObjects(
  env: Env,
  nowMs: number,
  allowance: Allowance = wholeInvocation(),
): Promise<number> {
  return sumOverDatabases(env, { nowMs, allowance }, async (database) => {
    let deleted = 0;
    for (let page = 0; page < PAGES_PER_RUN && !isUsedUp(allowance); page += 1) {
      const keys = await readDiscarded(database, nowMs - GRACE_MS, PAGE);
      if (keys.length > 0) {
        await env.FILES.delete(keys);
        await forgetDiscarded(database, keys);
      }
      deleted += keys.length;
      if (keys.length < PAGE) break;
    }
    return deleted;
  });
}

/**
 * Lists inline bytes as discarded when their ping was never accepted: the request ended between storing the bytes and
 * accepting the ping. Neither the read model nor a collector names these objects. Checks each hour once, a few pages a
 * run, up to the hour before the last whole one. Objects of an imported file stay while the read model has lost its row.
 * Returns how many it listed.
 */
export async function sweepInlineBytes(
  env: Env,
  nowMs: number,
  allowance: Allowance = wholeInvocation(),
): Promise<number> {
  const [database] = allDatabases(env);
  if (database === undefined) return 0;
  const lastHour = hourOf(nowMs - 2 * HOUR_MS);
  const isOld = (key: string) => inlineKeyParts(key).hour <= lastHour;
  let afterKey = (await readInlineRound(database)) ?? INLINE_PREFIX + lastHour;
  let discarded = 0;
  for (let page = 0; page < PAGES_PER_RUN && isOld(afterKey) && !isUsedUp(allowance); page += 1) {
    const found = await env.FILES.list({ prefix: INLINE_PREFIX, limit: PAGE, startAfter: afterKey });
    const old = found.objects.map(({ key }) => key).filter(isOld);
    discarded += await discardUnnamed(env, old.map(objectOf));
    const last = found.truncated && old.length === found.objects.length ? old.at(-1) : undefined;
    afterKey = last ?? INLINE_PREFIX + hourAfter(lastHour);
    await saveInlineRound(database, afterKey);
  }
  return discarded;
}

function hourAfter(hour: string): string {
  return hourOf(Date.parse(`${hour}:00:00Z`) + HOUR_MS);
}

function objectOf(key: string): NamedObject & { partner_id: string; collector: string } {
  const { partner_id, file_id } = inlineKeyParts(key);
  return { object_key: key, file_id, partner_id, collector: collectorNameOfId(partner_id, file_id) };
}

async function discardUnnamed(env: Env, objects: ReturnType<typeof objectOf>[]): Promise<number> {
  let discarded = 0;
  for (const [partnerId, ofPartner] of Map.groupBy(objects, (object) => object.partner_id)) {
    const databases = await databasesOf(env, partnerId);
    const candidates = await unnamedIn(databases, partnerId, ofPartner);
    const byCollector = [...Map.groupBy(candidates, (object) => object.collector)];
    const checked = await settleAll(byCollector, COLLECTORS_AT_ONCE, async ([collector, ofCollector]) => {
      const named = new Set(
        await withRetries(async () => collectorNamed(env, collector).namedObjects(ofCollector)),
      );
      return ofCollector.filter((object) => !named.has(object.object_key));
    });
    const orphans: NamedObject[] = [];
    for (const [index, result] of checked.entries()) {
      if (result.status === "fulfilled") orphans.push(...result.value);
      else {
        // The objects stay. Waiting for one collector would stop the sweep for all partners.
        logLine({
          unit: "setback",
          outcome: "inline_unchecked",
          collector: byCollector[index]?.[0] ?? "",
          objects: byCollector[index]?.[1].length ?? 0,
          fault: faultName(result.reason),
        });
      }
    }
    // A file may have been imported meanwhile, so the read model is checked once more.
    const discards = await unnamedIn(databases, partnerId, orphans);
    const [database] = databases;
    if (discards.length > 0) await database.batch(discardObjects(database, partnerId, discards));
    discarded += discards.length;
  }
  return discarded;
}

/**
 * Returns the database of a partner: an import withdraws a discarded object there. For a partner that the registry does not
 * know, or with a database that is not bound, returns all, because the registry may have lost the partner. Then no
 * import withdraws the object, and the first database lists it.
 */
async function databasesOf(env: Env, partnerId: string): Promise<[D1Database, ...D1Database[]]> {
  const partner = await readPartner(env.PARTNERS, partnerId);
  const own = namedDatabases(env).find(({ name }) => name === partner?.database);
  return own === undefined
    ? [env.DB, ...allDatabases(env).filter((database) => database !== env.DB)]
    : [own.database];
}

/** Returns the objects that none of these databases names. */
async function unnamedIn<T extends NamedObject>(
  databases: readonly D1Database[],
  partnerId: string,
  objects: readonly T[],
): Promise<(T & UnnamedObject)[]> {
  let left = objects.map((object) => ({ ...object, row_revision: 0 }));
  for (const database of databases) {
    const revisions = await unnamedObjects(database, partnerId, left);
    left = left.flatMap((object) => {
      const revision = revisions.get(object.object_key);
      return revision === undefined
        ? []
        : [{ ...object, row_revision: Math.max(revision, object.row_revision) }];
    });
  }
  return left;
}
