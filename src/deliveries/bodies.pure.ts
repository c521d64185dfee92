import { z } from "@hono/zod-openapi";
import { IMPORT_CANCELLED, USER_ERASED } from "../endpoints/endpoint.ts";
import { fileErrorCodeSchema } from "../files/file.ts";
import { countsOf, importCountsSchema, type ImportCounts } from "../imports/counts.pure.ts";
import { nothingHeldFields, type ImportStatus } from "../imports/import.ts";
import { importWarnings } from "../imports/warnings.pure.ts";

const failureSchema = z
  .strictObject({
    file_id: z.string(),
    summary_id: z.string(),
    code: fileErrorCodeSchema,
    detail: z.string(),
  })
  .openapi("ImportFailure");
export type ImportFailure = z.infer<typeof failureSchema>;

/** Names of an import in an event. */
const importNames = {
  event_id: z.string().nullable(),
  import_id: z.string(),
  user_id: z.string(),
  source: z.string(),
};

/** Body of the event that reports a completed import. */
export const importCompletedEventSchema = z
  .strictObject({
    type: z.literal("bulk_fit_import.completed"),
    timestamp: z.iso.datetime(),
    data: z
      .strictObject({
        ...importNames,
        is_initial_import: z.boolean(),
        status: z
          .enum(["completed", "completed_with_failures", "cancelled"])
          .openapi("CompletedImportStatus"),
        files: importCountsSchema,
        ...nothingHeldFields,
        failures: z.array(failureSchema),
        more_failures: z.boolean(),
      })
      .openapi("ImportCompletedData"),
  })
  .openapi("ImportCompletedEvent");
export type ImportCompletedEvent = z.infer<typeof importCompletedEventSchema>;

/** Body of the event that reports a cancelled import. */
export const importCancelledEventSchema = z
  .strictObject({
    type: z.literal(IMPORT_CANCELLED),
    timestamp: z.iso.datetime(),
    data: z
      .strictObject({
        ...importNames,
        files: importCountsSchema,
      })
      .openapi("ImportCancelledData"),
  })
  .openapi("ImportCancelledEvent");
export type ImportCancelledEvent = z.infer<typeof importCancelledEventSchema>;

/** Body of the event that reports an erasure: the receipt. */
export const userErasedEventSchema = z
  .strictObject({
    type: z.literal(USER_ERASED),
    timestamp: z.iso.datetime(),
    data: z
      .strictObject({
        user_id: z.string(),
        files: z.number().int(),
        activities: z.number().int(),
        imports: z.number().int(),
      })
      .openapi("UserErasedData"),
  })
  .openapi("UserErasedEvent");
export type UserErasedEvent = z.infer<typeof userErasedEventSchema>;

/** Body of a test event, with which a partner tests its receiver. */
export const testEventSchema = z
  .strictObject({
    type: z.literal("test.ping"),
    timestamp: z.iso.datetime(),
    data: z.strictObject({ challenge: z.string().optional() }).openapi("TestEventData"),
  })
  .openapi("TestEvent");
export type TestEvent = z.infer<typeof testEventSchema>;

/** Fields of a completed import that the bodies use. */
export interface CompletedImport extends ImportCounts {
  partner_id: string;
  import_id: string;
  user_id: string;
  source: string;
  event_id: string | null;
  is_initial_import: boolean;
  status: ImportStatus;
  held_under_other_source?: string[] | null;
}

/** Returns the event of a completed import. `failures` are listed; `more_failures` is true when the import has more. */
export function importCompletedEvent(
  completed: CompletedImport,
  failures: ImportFailure[],
  completedAtMs: number,
): ImportCompletedEvent {
  return {
    type: "bulk_fit_import.completed",
    timestamp: new Date(completedAtMs).toISOString(),
    data: {
      event_id: completed.event_id,
      import_id: completed.import_id,
      user_id: completed.user_id,
      source: completed.source,
      is_initial_import: completed.is_initial_import,
      status:
        completed.status === "cancelled"
          ? "cancelled"
          : completed.failed > 0
            ? "completed_with_failures"
            : "completed",
      files: countsOf(completed),
      ...importWarnings(completed),
      failures,
      more_failures: completed.failed > failures.length,
    },
  };
}

export function importCancelledEvent(
  cancelled: CompletedImport,
  completedAtMs: number,
): ImportCancelledEvent {
  const { event_id, import_id, user_id, source } = cancelled;
  return {
    type: IMPORT_CANCELLED,
    timestamp: new Date(completedAtMs).toISOString(),
    data: { event_id, import_id, user_id, source, files: countsOf(cancelled) },
  };
}
