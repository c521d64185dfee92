import { z } from "@hono/zod-openapi";
import { fileErrorCodeSchema } from "./file.ts";

const TIMELINE_STEPS = [
  "pinged",
  "held",
  "released",
  "dispatched",
  "attempt_failed",
  "attempt_interrupted",
  "downloaded",
  "imported",
  "failed",
  "skipped",
  "retried",
] as const;

/** Steps of a file's newest version, in order. */
export const timelineSchema = z
  .strictObject({
    data: z.array(
      z
        .strictObject({
          at: z.iso.datetime(),
          what: z.enum(TIMELINE_STEPS).openapi("TimelineStep"),
          attempt: z.number().int().optional(),
          code: fileErrorCodeSchema.optional(),
          detail: z.string().optional(),
          import_id: z.string().optional(),
        })
        .openapi("TimelineEntry"),
    ),
  })
  .openapi("Timeline");
export type Timeline = z.infer<typeof timelineSchema>;
