import { collectorNamed } from "../collector/client.ts";
import { allDatabases, databaseFor } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { collectorNameOfId } from "../identifiers.ts";
import { hourOf, INLINE_PREFIX } from "./objectKeys.ts";
import { discardObjects, forgetDiscarded, readDiscarded, unnamedObjects, type NamedObject } from "./write.ts";

/** Maximum number of keys in one R2 delete or list. */
const PAGE = 1_000;
/** An importer may run for 15 minutes, and may store a version after that version was replaced. */
const GRACE_MS = 20 * 60_000;
/** Maximum number of pages that one run deletes, so that the run stays short. */
const PAGES_PER_RUN = 10;
const HOUR_MS = 60 * 60_000;

/** Deletes objects that no file names any more, a few pages a run. Returns how many. */
export async function sweepDiscardedObjects(env: Env, nowMs: number): Promise<number> {
  let deleted = 0;
  for (const database of allDatabases(env)) {
    for (let page = 0; page < PAGES_PER_RUN; page += 1) {
      const keys = await readDiscarded(database, nowMs - GRACE_MS, PAGE);
      if (keys.length > 0) {
        await env.FILES.delete(keys);
        await forgetDiscarded(database, keys);
      }
      deleted += keys.length;
      if (keys.length < PAGE) break;
    }
  }
  return deleted;
}

/**
 * Lists inline bytes as discarded when their ping was never accepted: the request ended between storing the bytes and
 * accepting the ping. Checks the hour before the last whole one. Neither the read model nor a collector names these
 * objects. Returns how many.
 */
export async function sweepInlineBytes(env: Env, nowMs: number): Promise<number> {
  let discarded = 0;
  let cursor: string | undefined;
  do {
    const page = await env.FILES.list({
      prefix: `${INLINE_PREFIX}${hourOf(nowMs - 2 * HOUR_MS)}/`,
      limit: PAGE,
      ...(cursor === undefined ? {} : { cursor }),
    });
    discarded += await discardUnnamed(
      env,
      page.objects.map((object) => objectOf(object.key)),
    );
    cursor = page.truncated ? page.cursor : undefined;
  } while (cursor !== undefined);
  return discarded;
}

/** `inline/{hour}/{partner}/{file_id}/{unique}` */
function objectOf(key: string): NamedObject & { partner_id: string; collector: string } {
  const [, , partner_id = "", file_id = ""] = key.split("/");
  return { object_key: key, file_id, partner_id, collector: collectorNameOfId(partner_id, file_id) };
}

async function discardUnnamed(env: Env, objects: ReturnType<typeof objectOf>[]): Promise<number> {
  let discarded = 0;
  for (const [partnerId, ofPartner] of Map.groupBy(objects, (object) => object.partner_id)) {
    const database = databaseFor(env, partnerId);
    const unread = new Set(await unnamedObjects(database, partnerId, ofPartner));
    const candidates = ofPartner.filter((object) => unread.has(object.object_key));
    const orphans: NamedObject[] = [];
    for (const [collector, ofCollector] of Map.groupBy(candidates, (object) => object.collector)) {
      const named = new Set(await collectorNamed(env, collector).namedObjects(ofCollector));
      orphans.push(...ofCollector.filter((object) => !named.has(object.object_key)));
    }
    // A file may have been imported meanwhile. The statement checks the read model once more.
    if (orphans.length > 0) await database.batch(discardObjects(database, partnerId, orphans));
    discarded += orphans.length;
  }
  return discarded;
}
