import { namedDatabases } from "../database/databases.ts";
import { FULL_DATABASES_KEY, isFull, MAX_DATABASE_BYTES, parseFullDatabases } from "../database/fullness.ts";
import type { Env } from "../env.ts";
import { readDatabaseBytes } from "./read.ts";

export interface DatabaseSize {
  database_bytes: number;
  /** Share of the maximum size, from 0 to 1. */
  database_share: number;
}

/** Publishes to KV which databases are full, if that has changed. Returns the size of the largest database. */
export async function publishDatabaseSizes(env: Env): Promise<DatabaseSize> {
  let largest = 0;
  const full: string[] = [];
  for (const { name, database } of namedDatabases(env)) {
    const bytes = await readDatabaseBytes(database);
    largest = Math.max(largest, bytes);
    if (isFull(bytes)) full.push(name);
  }
  const published = parseFullDatabases(await env.PARTNERS.get(FULL_DATABASES_KEY, { type: "text" }));
  if (published.join() !== full.join()) await env.PARTNERS.put(FULL_DATABASES_KEY, JSON.stringify(full));
  return {
    database_bytes: largest,
    database_share: Math.round((10_000 * largest) / MAX_DATABASE_BYTES) / 10_000,
  };
}
