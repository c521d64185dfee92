import { z } from "@hono/zod-openapi";

/**
 * Returns a schema that also accepts null. Use it for schemas with a name in the OpenAPI document: `.nullable()` would
 * let null into the named schema itself, and so into every field that refers to it.
 */
export function orNull<T extends z.ZodType>(schema: T) {
  return z.union([schema, z.null()]);
}
