import { z } from "@hono/zod-openapi";
import { FILE_ERROR_CODES } from "../collector/ledger.ts";
import { FIT_WARNINGS } from "../fit/types.ts";

export const FILE_STATUSES = ["held", "queued", "imported", "failed"] as const;
export type FileStatus = (typeof FILE_STATUSES)[number];

export const fileErrorSchema = z.strictObject({
  code: z.enum(FILE_ERROR_CODES),
  detail: z.string(),
  http_status: z.number().int().nullable(),
  retryable: z.boolean(),
});

/** A file as a partner reads it: `status` is of the newest version, `activity_ids` are of the readable one. */
export const fileSchema = z
  .strictObject({
    file_id: z.string(),
    user_id: z.string(),
    source: z.string(),
    summary_id: z.string(),
    activity_name: z.string().nullable(),
    priority: z.literal([0, 1]).openapi({ type: "integer", enum: [0, 1] }),
    overwrite_mode: z.boolean(),
    start_time_in_seconds: z.string(),
    status: z.enum(FILE_STATUSES),
    attempts: z.number().int(),
    import_id: z.string().nullable(),
    error: fileErrorSchema.nullable(),
    sha256: z.string().nullable(),
    size_in_bytes: z.number().int().nullable(),
    warnings: z.array(z.enum(FIT_WARNINGS)),
    activity_ids: z.array(z.string()),
    received_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi("File");
export type File = z.infer<typeof fileSchema>;
