import { z } from "@hono/zod-openapi";
import { orNull } from "../contract/orNull.ts";
import { eventStatusSchema } from "../deliveries/event.ts";
import { importFilesSchema } from "./counts.pure.ts";

export const IMPORT_STATUSES = ["running", "completed", "completed_with_failures", "cancelled"] as const;
export type ImportStatus = (typeof IMPORT_STATUSES)[number];
export const importStatusSchema = z.enum(IMPORT_STATUSES).openapi("ImportStatus");

/** Fields that warn about an import without files: the task's user had nothing held under its source. */
export const nothingHeldFields = {
  warnings: z.array(z.string()),
  held_under_other_source: z.array(z.string()).nullable().optional(),
};

/** Body of a task's 202. */
export const taskResponseSchema = z
  .strictObject({
    import_id: z.string(),
    user_id: z.string(),
    source: z.string(),
    is_initial_import: z.boolean(),
    event_id: z.string().nullable(),
    status: importStatusSchema,
    files: importFilesSchema,
    missing_summary_ids: z.array(z.string()).optional(),
    repeated: z.boolean(),
    ...nothingHeldFields,
  })
  .openapi("ImportAnswer");
export type ImportAnswer = z.infer<typeof taskResponseSchema>;

const trainingPlanSchema = z
  .strictObject({ status: z.enum(["requested", "delivered", "failed"]).openapi("TrainingPlanStatus") })
  .openapi("TrainingPlan");

const importEventSchema = z
  .strictObject({ status: eventStatusSchema, attempts: z.number().int().min(0) })
  .openapi("ImportEvent");

/** An import as a partner reads it. */
export const importSchema = z
  .strictObject({
    ...taskResponseSchema.shape,
    requested_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
    completed_at: z.iso.datetime().nullable(),
    training_plan: orNull(trainingPlanSchema),
    event: orNull(importEventSchema),
  })
  .openapi("Import");
export type Import = z.infer<typeof importSchema>;

/** Response to a retry of an import. */
export const retriedImportSchema = z
  .strictObject({
    ...importSchema.shape,
    retried_files: z.number().int().min(1),
    retried_at: z.iso.datetime(),
  })
  .openapi("RetriedImport");
export type RetriedImport = z.infer<typeof retriedImportSchema>;
