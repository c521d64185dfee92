import { z } from "zod";
import type { Env } from "../../env.ts";
import { INLINE_PREFIX } from "../../files/objectKeys.ts";
import {
  collectorName,
  collectorNameOfId,
  collectorPrefixOf,
  userHash,
  userRoute,
} from "../../identifiers.ts";
import { readNextSource } from "./read.ts";
import { PHASES, type AgainParameters, type Position } from "./write.ts";

/** Sorts after every id, so that a list from here on skips all keys that begin with the text before it. */
const AFTER_ALL = "~";

export const START: Position = { phase: "sources", after: "", collector: null, file: "" };

/** Maximum number of keys that one search reads. The job then saves its position, so a run that dies loses little. */
const KEYS_PER_SEARCH = 50;

/** A collector's name or the id of its Durable Object, with the key after which the search continues. */
interface Found {
  /** Null when the search has ended at its limit. */
  collector: string | null;
  after: string;
}

/**
 * Returns the position of the next collector, or of the end of a long search. Null after the last one. The sources in D1 come first, then the keys in
 * R2: a list from behind the keys of a collector returns the next collector with stored bytes. A collector may be found
 * in several phases.
 */
export async function nextCollector(
  env: Env,
  database: D1Database,
  parameters: AgainParameters,
  position: Position,
): Promise<Position | null> {
  let { phase, after } = position;
  if (parameters.objects !== null) phase = "ids";
  for (;;) {
    const found = await FIND[phase](env, database, parameters, after);
    if (found !== null) return { phase, ...found, file: "" };
    const next = PHASES[PHASES.indexOf(phase) + 1];
    if (next === undefined) return null;
    phase = next;
    after = "";
  }
}

type Find = (
  env: Env,
  database: D1Database,
  parameters: AgainParameters,
  after: string,
) => Promise<Found | null>;

const sourceKey = z.tuple([z.string(), z.string()]);

const FIND: Record<Position["phase"], Find> = {
  sources: findSource,
  objects: findObject,
  inline: findInline,
  ids: async (_env, _database, { objects }, after) => {
    const index = after === "" ? 0 : Number(after) + 1;
    const collector = objects?.[index];
    return collector === undefined ? null : { collector, after: String(index) };
  },
};

async function findSource(
  _env: Env,
  database: D1Database,
  { partner_id, user_id }: AgainParameters,
  after: string,
): Promise<Found | null> {
  if (partner_id === null) return null;
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
async function findObject(
  env: Env,
  _database: D1Database,
  { partner_id, user_id }: AgainParameters,
  after: string,
): Promise<Found | null> {
  if (partner_id === null) return null;
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
async function findInline(
  env: Env,
  _database: D1Database,
  { partner_id, user_id }: AgainParameters,
  after: string,
): Promise<Found | null> {
  if (partner_id === null) return null;
  const wanted = `${partner_id}/${user_id === null ? "" : userRoute(partner_id, user_id)}`;
  let startAfter = after;
  for (let keys = 0; keys < KEYS_PER_SEARCH; keys += 1) {
    const key = await firstKey(env, INLINE_PREFIX, startAfter);
    if (key === null) return null;
    const [, hour = "", partner = "", file = ""] = key.split("/");
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
