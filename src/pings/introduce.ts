import { collectorNamed } from "../collector/client.ts";
import { settleAll } from "../concurrency/settleAll.ts";
import { within } from "../concurrency/within.ts";
import { databaseFor } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { erasuresOf, readErasures } from "../erasure/read.ts";
import { userHash } from "../identifiers.ts";
import { faultName, logLine } from "../log.ts";
import { introduceSources, type UserSource } from "../sources/write.ts";
import { COLLECTORS_AT_ONCE, type Group, type TakenGroup } from "./groupPings.ts";

/** How long a first ping waits for the database at most. */
export const FIRST_CONTACT_DEADLINE_MS = 2_500;

/** A group with pings that an erasure of their user up to the bound covers. */
export interface ErasedGroup {
  group: Group;
  bound: number;
  /** Where the covered pings stood in the request. */
  places: number[];
}

/**
 * Lists the users and sources that the read model may not know, so that an erasure right after the answer finds their
 * collectors. Returns the groups that an earlier erasure covers: it did not find their collector. When the database
 * does not answer in time, the collectors introduce themselves later.
 */
export async function introduceFirstContacts(
  env: Env,
  partnerId: string,
  taken: readonly TakenGroup[],
): Promise<ErasedGroup[]> {
  const first = taken.filter(({ accepted }) => accepted.first_contact);
  if (first.length === 0) return [];
  const sources = first.map(({ group, accepted }): UserSource => {
    const { user_id, source } = group.names;
    const version = accepted.versions.reduce((newest, found) => Math.max(newest, found), 0);
    return { user_id, user_hash: userHash(partnerId, user_id), source, version };
  });
  const hashes = [...new Set(sources.map(({ user_hash }) => user_hash))];
  const database = databaseFor(env, partnerId);
  let bounds: ReadonlyMap<string, number>;
  try {
    const results = await within(
      FIRST_CONTACT_DEADLINE_MS,
      // A database whose binding throws at once is down, too.
      (async () =>
        database.batch([
          ...introduceSources(database, partnerId, sources),
          readErasures(database, partnerId, hashes),
        ]))(),
    );
    bounds = erasuresOf(results.at(-1));
  } catch (fault) {
    logLine({
      unit: "setback",
      outcome: "introduced_later",
      partner_id: partnerId,
      sources: sources.length,
      fault: faultName(fault),
    });
    return [];
  }
  const erased: ErasedGroup[] = [];
  const introduced: { collector: string; version: number; bound: number }[] = [];
  for (const [index, { group, accepted }] of first.entries()) {
    const { user_hash = "", version = 0 } = sources[index] ?? {};
    const bound = bounds.get(user_hash) ?? 0;
    const places = group.places.filter((_place, at) => (accepted.versions[at] ?? 0) <= bound);
    if (places.length > 0) erased.push({ group, bound, places });
    else introduced.push({ collector: group.collector, version, bound });
  }
  // A collector that does not hear of it introduces itself.
  await settleAll(introduced, COLLECTORS_AT_ONCE, async ({ collector, version, bound }) =>
    collectorNamed(env, collector).introduced(version, bound),
  );
  return erased;
}
