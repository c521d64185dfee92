import { list, textOrNull } from "./parse.ts";

/** Maximum size of a D1 database. */
export const MAX_DATABASE_BYTES = 10_000_000_000;
/**
 * Share of `MAX_DATABASE_BYTES` above which pings are rejected. The rest is for the files that are already accepted, for
 * events and for erasures.
 */
export const FULL_SHARE = 0.97;

/** KV key of the list of full databases. */
export const FULL_DATABASES_KEY = "full_databases";

/** Returns whether a database of this size is full. */
export function isFull(bytes: number): boolean {
  return bytes > FULL_SHARE * MAX_DATABASE_BYTES;
}

/** Parses the published list of full databases. Null means none. */
export function parseFullDatabases(published: string | null): string[] {
  return published === null ? [] : list(JSON.parse(published)).flatMap((name) => textOrNull(name) ?? []);
}
