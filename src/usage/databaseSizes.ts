import { namedDatabases, sumOverDatabases, wholeInvocation, type Turn } from "../database/databases.ts";
import { FULL_DATABASES_KEY, isFull, MAX_DATABASE_BYTES, parseFullDatabases } from "../database/fullness.ts";
import type { Env } from "../env.ts";
import { readDatabaseBytes } from "./read.ts";

export interface DatabaseSize {
  database_bytes: number;
  /** Share of the maximum size, from 0 to 1. */
  database_share: number;
}

/**
 * Publishes to KV which databases are full, if that has changed. A database that is down stays as published. Returns the
 * size of the largest database that the run has reached.
 */
export async function publishDatabaseSizes(
  env: Env,
  turn: Turn = { nowMs: Date.now(), allowance: wholeInvocation() },
): Promise<DatabaseSize> {
  const published = parseFullDatabases(await env.PARTNERS.get(FULL_DATABASES_KEY, { type: "text" }));
  const full = new Set(published);
  let largest = 0;
  try {
    await sumOverDatabases(env, turn, async (database, name) => {
      const bytes = await readDatabaseBytes(database);
      largest = Math.max(largest, bytes);
      if (isFull(bytes)) full.add(name);
      else full.delete(name);
      return bytes;
    });
  } finally {
    const names = namedDatabases(env).flatMap(({ name }) => (full.has(name) ? [name] : []));
    if (published.join() !== names.join()) await env.PARTNERS.put(FULL_DATABASES_KEY, JSON.stringify(names));
  }
  return {
    database_bytes: largest,
    database_share: Math.round((10_000 * largest) / MAX_DATABASE_BYTES) / 10_000,
  };
}
