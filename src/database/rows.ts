import type { z } from "zod";

/** A time of the read model as partners see it. */
export function instantOf(unixMs: number): string {
  return new Date(unixMs).toISOString();
}

/** Reads a JSON column; throws when it is not what the writer promised. */
export function parseColumn<T extends z.ZodType>(schema: T, column: string): z.infer<T> {
  return schema.parse(JSON.parse(column));
}
