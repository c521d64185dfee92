import { z } from "@hono/zod-openapi";
import { orNull } from "../contract/orNull.ts";
import { FIT_WARNINGS } from "../fit/types.ts";
import { EDITED_FIELDS } from "./edits.pure.ts";
import { FILE_ERROR_CODES, RETRY_CAN_HELP, type FileErrorCode } from "./errorCodes.ts";
import { pingFieldsSchema } from "./pingFields.pure.ts";

export const fileErrorCodeSchema = z.enum(FILE_ERROR_CODES).openapi("FileErrorCode");

/** An object in R2 that holds the bytes of a file. */
export interface StoredObject {
  key: string;
  sha256: string;
  size_in_bytes: number;
}

export const FILE_STATUSES = ["held", "queued", "imported", "failed", "skipped"] as const;
export type FileStatus = (typeof FILE_STATUSES)[number];
export const fileStatusSchema = z.enum(FILE_STATUSES).openapi("FileStatus");

export const fileWarningSchema = z.enum(FIT_WARNINGS).openapi("FileWarning");

/** Why a version of a file could not be imported. */
export const fileErrorSchema = z
  .strictObject({
    code: fileErrorCodeSchema,
    detail: z.string(),
    http_status: z.number().int().nullable(),
    retryable: z.boolean(),
  })
  .openapi("FileError");
export type FileError = z.infer<typeof fileErrorSchema>;

/** Returns the error of an attempt. */
export function fileError(code: FileErrorCode, detail: string, http_status: number | null = null): FileError {
  return { code, detail, http_status, retryable: RETRY_CAN_HELP[code] };
}

/** Fields with a value that the partner has set by an edit. */
export const editedFieldSchema = z.enum(EDITED_FIELDS).openapi("EditedField");

/** A file as a partner reads it. `status` is the newest version's; `activity_ids` are the readable version's. */
export const fileSchema = z
  .strictObject({
    file_id: z.string(),
    user_id: z.string(),
    source: z.string(),
    summary_id: z.string(),
    ...pingFieldsSchema.shape,
    status: fileStatusSchema,
    attempts: z.number().int(),
    import_id: z.string().nullable(),
    error: orNull(fileErrorSchema),
    last_error: orNull(fileErrorSchema),
    next_attempt_at: z.iso.datetime().nullable(),
    sha256: z.string().nullable(),
    size_in_bytes: z.number().int().nullable(),
    warnings: z.array(fileWarningSchema),
    activity_ids: z.array(z.string()),
    edited: z.array(editedFieldSchema),
    received_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi("ActivityFile");
export type File = z.infer<typeof fileSchema>;

/** A file that a list with `include_deleted` reports as removed. */
export const removedFileSchema = z
  .strictObject({ file_id: z.string(), deleted_at: z.iso.datetime() })
  .openapi("RemovedFile");
export type RemovedFile = z.infer<typeof removedFileSchema>;
