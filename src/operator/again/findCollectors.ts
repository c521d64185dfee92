import { z } from "zod";
import type { Env } from "../../env.ts";
import { INLINE_PREFIX, inlineKeyParts } from "../../files/objectKeys.ts";
import {
  collectorName,
  collectorNameOfId,
  collectorPrefixOf,
  userHash,
  userRoute,
} from "../../identifiers.ts";
import { readNextSource } from "./read.ts";
import { SEARCHES, type AgainParameters, type Position } from "./write.ts";

/** Sorts after every id, so that a list from here on skips all keys that begin with the text before it. */
const AFTER_ALL = "~";

/** Maximum number of keys that one search reads. The job then saves its position, so a run that dies loses little. */
const KEYS_PER_SEARCH = 50;

/** A collector's name or the id of its Durable Object, with the key after which the search continues. */
interface Found {
  /** Null when the search has ended at its limit. */
  collector: string | null;
  after: string;
}

/**
 * Returns the position of the next collector, or of the end of a long search. Null after the last one. The sources in D1
 * come first, then the keys in R2: a list from behind the keys of a collector returns the next collector with stored bytes.
 * Several searches may find the same collector.
 */
export async function nextCollector(
  env: Env,
  database: D1Database,
  parameters: AgainParameters,
  position: Position,
): Promise<Position | null> {
  const { partner_id, user_id, objects } = parameters;
  const { phase, after } = position;
  if (objects !== null) {
    const index = after === "" ? 0 : Number(after) + 1;
    const collector = objects[index];
    return collector === undefined ? null : { phase: "ids", collector, after: String(index), file: "" };
  }
  if (partner_id === null || phase === "ids") return null;
  const scope = { env, database, partner_id, user_id };
  for (const search of SEARCHES.slice(SEARCHES.indexOf(phase))) {
    const found = await FIND[search](scope, search === phase ? after : "");
    if (found !== null) return { phase: search, ...found, file: "" };
  }
  return null;
}

/** Where to search, and the partner whose collectors to find: all, or those of one of its users. */
interface Scope {
  env: Env;
  database: D1Database;
  partner_id: string;
  user_id: string | null;
}

const FIND: Record<(typeof SEARCHES)[number], (scope: Scope, after: string) => Promise<Found | null>> = {
  sources: findSource,
  objects: findObject,
  inline: findInline,
};

const sourceKey = z.tuple([z.string(), z.string()]);

async function findSource({ database, partner_id, user_id }: Scope, after: string): Promise<Found | null> {
  const [afterUser, afterSource] = after === "" ? ["", ""] : sourceKey.parse(JSON.parse(after));
  const row = await readNextSource(database, partner_id, user_id, afterUser, afterSource);
  if (row === null) return null;
  return {
    collector: collectorName(partner_id, row.user_id, row.source),
    after: JSON.stringify([row.user_id, row.source]),
  };
}

/** Returns the first key of a bucket below a prefix and after a key. */
async function firstKey(env: Env, prefix: string, startAfter: string): Promise<string | null> {
  const { objects } = await env.FILES.list({
    prefix,
    limit: 1,
    ...(startAfter === "" ? {} : { startAfter }),
  });
  return objects[0]?.key ?? null;
}

/** Downloaded bytes: `{partner}/{user_hash}/{file_id}/{version}`. */
async function findObject({ env, partner_id, user_id }: Scope, after: string): Promise<Found | null> {
  const prefix = user_id === null ? `${partner_id}/` : `${partner_id}/${userHash(partner_id, user_id)}/`;
  const key = await firstKey(env, prefix, after);
  if (key === null) return null;
  const [, hash = "", file = ""] = key.split("/");
  return {
    collector: collectorNameOfId(partner_id, file),
    after: `${partner_id}/${hash}/${collectorPrefixOf(file)}${AFTER_ALL}`,
  };
}

/** Bytes from pings: `inline/{hour}/{partner}/{file_id}/{unique}`. Each hour is searched for the partner's keys. */
async function findInline({ env, partner_id, user_id }: Scope, after: string): Promise<Found | null> {
  const wanted = `${partner_id}/${user_id === null ? "" : userRoute(partner_id, user_id)}`;
  let startAfter = after;
  for (let keys = 0; keys < KEYS_PER_SEARCH; keys += 1) {
    const key = await firstKey(env, INLINE_PREFIX, startAfter);
    if (key === null) return null;
    const { hour, partner_id: partner, file_id: file } = inlineKeyParts(key);
    const start = `${INLINE_PREFIX}${hour}/`;
    const rest = `${partner}/${file}`;
    if (rest.startsWith(wanted)) {
      return {
        collector: collectorNameOfId(partner_id, file),
        after: `${start}${partner}/${collectorPrefixOf(file)}${AFTER_ALL}`,
      };
    }
    startAfter = rest < wanted ? `${start}${wanted}` : `${start}${AFTER_ALL}`;
  }
  return { collector: null, after: startAfter };
}
