import { z } from "@hono/zod-openapi";

const count = z.number().int().min(0);

export const userSchema = z
  .strictObject({ user_id: z.string(), last_ping_at: z.iso.datetime(), created_at: z.iso.datetime() })
  .openapi("User");
export type User = z.infer<typeof userSchema>;

const sourceSchema = z
  .strictObject({
    source: z.string(),
    files: z
      .strictObject({
        total: count,
        held: count,
        queued: count,
        imported: count,
        failed: count,
        skipped: count,
      })
      .openapi("SourceFiles"),
    activities: count,
    last_ping_at: z.iso.datetime(),
    oldest_held_received_at: z.iso.datetime().nullable(),
  })
  .openapi("UserSource");

/** Maximum number of files and imports that one read of a user counts. A held file costs up to four rows read in D1. */
export const MAX_COUNTED_FILES = 4_000;
export const MAX_COUNTED_IMPORTS = 1_000;

export const userWithSourcesSchema = z
  .strictObject({
    ...userSchema.shape,
    capped: z.boolean(),
    sources: z.array(sourceSchema),
    running_import_ids: z.array(z.string()),
    held: count,
    oldest_held_received_at: z.iso.datetime().nullable(),
  })
  .openapi("UserWithSources");
export type UserWithSources = z.infer<typeof userWithSourcesSchema>;
