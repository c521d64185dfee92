import { z } from "@hono/zod-openapi";
import { importFilesSchema } from "./counts.pure.ts";

export const IMPORT_STATUSES = ["running", "completed", "completed_with_failures"] as const;
export type ImportStatus = (typeof IMPORT_STATUSES)[number];

/** Warning when the event of an import can be read, but not sent. */
export const NO_EVENT_URL = "event_id was given but no event_url is configured: the event will not be sent.";

/** Body of a task's 202. */
export const importAnswerSchema = z
  .strictObject({
    import_id: z.string(),
    user_id: z.string(),
    source: z.string(),
    is_initial_import: z.boolean(),
    event_id: z.string().nullable(),
    status: z.enum(IMPORT_STATUSES),
    files: importFilesSchema,
    missing_summary_ids: z.array(z.string()).optional(),
    repeated: z.boolean(),
    warnings: z.array(z.string()),
  })
  .openapi("ImportAnswer");
export type ImportAnswer = z.infer<typeof importAnswerSchema>;

/** An import as a partner reads it. */
export const importSchema = z
  .strictObject({
    ...importAnswerSchema.shape,
    requested_at: z.iso.datetime(),
    completed_at: z.iso.datetime().nullable(),
    training_plan: z.strictObject({ status: z.enum(["requested", "delivered", "failed"]) }).nullable(),
    event: z
      .strictObject({ status: z.enum(["pending", "delivered", "failed"]), attempts: z.number().int().min(0) })
      .nullable(),
  })
  .openapi("Import");
export type Import = z.infer<typeof importSchema>;
