import { z } from "@hono/zod-openapi";
import { fileWarningSchema } from "../files/file.ts";
import { detailsSchema, rrIntervalsSchema, summarySchema } from "./activity.ts";

const streamData = z.record(z.string(), z.array(z.number().nullable()));

/** Result of decoding a file without importing it. */
export const inspectionSchema = z
  .strictObject({
    warnings: z.array(fileWarningSchema),
    activities: z.array(
      summarySchema
        .extend(detailsSchema.shape)
        .extend({ stream_data: streamData.optional(), rr_intervals: rrIntervalsSchema.optional() })
        .openapi("InspectedActivity"),
    ),
  })
  .openapi("Inspection");
export type Inspection = z.infer<typeof inspectionSchema>;
