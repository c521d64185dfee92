import { z } from "@hono/zod-openapi";
import type { CompletedImport } from "../deliveries/bodies.pure.ts";
import { countsOf, importCountsSchema } from "../imports/counts.pure.ts";

/** A request to the planner for a training plan that uses the imported files, as it is stored: ids and counts only. */
export const storedPlanRequestSchema = z.strictObject({
  type: z.literal("training_plan.requested"),
  timestamp: z.iso.datetime(),
  data: z.strictObject({
    partner_id: z.string(),
    user_id: z.string(),
    source: z.string(),
    import_id: z.string(),
    event_id: z.string().nullable(),
    files: importCountsSchema,
  }),
});
export type StoredPlanRequest = z.infer<typeof storedPlanRequestSchema>;

export function storedPlanRequest(completed: CompletedImport, completedAtMs: number): StoredPlanRequest {
  return {
    type: "training_plan.requested",
    timestamp: new Date(completedAtMs).toISOString(),
    data: {
      partner_id: completed.partner_id,
      user_id: completed.user_id,
      source: completed.source,
      import_id: completed.import_id,
      event_id: completed.event_id,
      files: countsOf(completed),
    },
  };
}
