import { z } from "@hono/zod-openapi";
import { orNull } from "../../contract/orNull.ts";
import { fileErrorCodeSchema, fileStatusSchema } from "../../files/file.ts";
import { importFilesSchema } from "../counts.pure.ts";
import { importStatusSchema } from "../import.ts";

/** Lines of an import's report. A complete report ends with an `end` line, an incomplete one with an `error` line. */
export const reportFileSchema = z
  .strictObject({
    type: z.literal("file"),
    file_id: z.string(),
    summary_id: z.string(),
    status: fileStatusSchema,
    error_code: orNull(fileErrorCodeSchema),
    start_time_in_seconds: z.number().nullable(),
    sport: z.string().nullable(),
    distance_in_meters: z.number().nullable(),
  })
  .openapi("ReportFile");
export type ReportFile = z.infer<typeof reportFileSchema>;

const gapSchema = z
  .strictObject({
    start_time_in_seconds: z.number(),
    end_time_in_seconds: z.number(),
    duration_in_seconds: z.number(),
  })
  .openapi("ReportGap");
export type ReportGap = z.infer<typeof gapSchema>;

export const reportEndSchema = z
  .strictObject({
    type: z.literal("end"),
    import_id: z.string(),
    status: importStatusSchema,
    files: importFilesSchema,
    first_start_time_in_seconds: z.number().nullable(),
    last_start_time_in_seconds: z.number().nullable(),
    longest_gap: orNull(gapSchema),
    missing_summary_ids: z.array(z.string()).optional(),
  })
  .openapi("ReportEnd");
export type ReportEnd = z.infer<typeof reportEndSchema>;

export const reportErrorSchema = z
  .strictObject({ type: z.literal("error"), code: z.string(), detail: z.string() })
  .openapi("ReportError");
export type ReportError = z.infer<typeof reportErrorSchema>;

export const reportLineSchema = z
  .discriminatedUnion("type", [reportFileSchema, reportEndSchema, reportErrorSchema])
  .openapi("ReportLine");
export type ReportLine = z.infer<typeof reportLineSchema>;
