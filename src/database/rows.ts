import type { z } from "zod";

/** Returns a time of the read model as partners read it: ISO 8601 in UTC. */
export function instantOf(unixMs: number): string {
  return new Date(unixMs).toISOString();
}

/** Parses a JSON column. Throws when it does not match the schema. */
export function parseColumn<T extends z.ZodType>(schema: T, column: string): z.infer<T> {
  return schema.parse(JSON.parse(column));
}

/** Returns whether a statement of a batch has written rows. */
export function hasChanges(result: D1Result | undefined): boolean {
  return result !== undefined && result.meta.changes > 0;
}
