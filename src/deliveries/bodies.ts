import { z } from "@hono/zod-openapi";

const count = z.number().int().min(0);
const files = z.strictObject({ total: count, imported: count, skipped: count, failed: count });

const failureSchema = z.strictObject({
  file_id: z.string(),
  summary_id: z.string(),
  code: z.string(),
  detail: z.string(),
});
export type ImportFailure = z.infer<typeof failureSchema>;

/** Tells a partner that an import has ended and can be read. */
export const importCompletedEventSchema = z
  .strictObject({
    type: z.literal("bulk_fit_import.completed"),
    timestamp: z.iso.datetime(),
    data: z.strictObject({
      event_id: z.string().nullable(),
      import_id: z.string(),
      user_id: z.string(),
      source: z.string(),
      is_initial_import: z.boolean(),
      status: z.enum(["completed", "completed_with_failures"]),
      files,
      failures: z.array(failureSchema),
      more_failures: z.boolean(),
    }),
  })
  .openapi("ImportCompletedEvent");
export type ImportCompletedEvent = z.infer<typeof importCompletedEventSchema>;

/** Nothing has happened: a partner tries out its receiver. */
export const testEventSchema = z
  .strictObject({
    type: z.literal("test.ping"),
    timestamp: z.iso.datetime(),
    data: z.strictObject({ challenge: z.string().optional() }),
  })
  .openapi("TestEvent");
export type TestEvent = z.infer<typeof testEventSchema>;

/** Asks the planner for a training plan from what was imported. */
export const trainingPlanRequestSchema = z.strictObject({
  type: z.literal("training_plan.requested"),
  timestamp: z.iso.datetime(),
  data: z.strictObject({
    partner_id: z.string(),
    user_id: z.string(),
    source: z.string(),
    import_id: z.string(),
    event_id: z.string().nullable(),
    files,
  }),
});
export type TrainingPlanRequest = z.infer<typeof trainingPlanRequestSchema>;

/** A completed import, as far as others are told of it. */
export interface CompletedImport {
  partner_id: string;
  import_id: string;
  user_id: string;
  source: string;
  event_id: string | null;
  is_initial_import: boolean;
  total: number;
  imported: number;
  skipped: number;
  failed: number;
}

function filesOf({ total, imported, skipped, failed }: CompletedImport) {
  return { total, imported, skipped, failed };
}

/** `failures` are the ones to name; that there are more than these, the counts tell. */
export function importCompletedEvent(
  about: CompletedImport,
  failures: ImportFailure[],
  completedAtMs: number,
): ImportCompletedEvent {
  return {
    type: "bulk_fit_import.completed",
    timestamp: new Date(completedAtMs).toISOString(),
    data: {
      event_id: about.event_id,
      import_id: about.import_id,
      user_id: about.user_id,
      source: about.source,
      is_initial_import: about.is_initial_import,
      status: about.failed > 0 ? "completed_with_failures" : "completed",
      files: filesOf(about),
      failures,
      more_failures: about.failed > failures.length,
    },
  };
}

export function trainingPlanRequest(about: CompletedImport, completedAtMs: number): TrainingPlanRequest {
  return {
    type: "training_plan.requested",
    timestamp: new Date(completedAtMs).toISOString(),
    data: {
      partner_id: about.partner_id,
      user_id: about.user_id,
      source: about.source,
      import_id: about.import_id,
      event_id: about.event_id,
      files: filesOf(about),
    },
  };
}
