import { z } from "@hono/zod-openapi";
import { orNull } from "../contract/orNull.ts";
import { OUTCOME_TYPES } from "../endpoints/endpoint.ts";
import { fileErrorSchema } from "../files/file.ts";

/** Type of the event that reports outcomes. */
export const OUTCOMES_REPORTED = "outcomes.reported";

/** What is stored of an outcome: ids, and no names, so that an erasure finds nothing in events. */
const storedOutcomeSchema = z.strictObject({
  sequence: z.number().int(),
  type: z.enum(OUTCOME_TYPES).openapi("OutcomeType"),
  file_id: z.string(),
  activity_ids: z.array(z.string()),
  import_id: z.string().nullable(),
  status: z.enum(["imported", "failed", "deleted"]).openapi("OutcomeStatus"),
  error: orNull(fileErrorSchema),
  updated_at: z.iso.datetime(),
});
export type StoredOutcome = z.infer<typeof storedOutcomeSchema>;

const outcomeSchema = z
  .strictObject({
    ...storedOutcomeSchema.shape,
    user_id: z.string().nullable(),
    source: z.string().nullable(),
    summary_id: z.string().nullable(),
  })
  .openapi("Outcome");
export type Outcome = z.infer<typeof outcomeSchema>;

/** Body of the event that reports outcomes to an endpoint. */
export const outcomesEventSchema = z
  .strictObject({
    type: z.literal(OUTCOMES_REPORTED),
    timestamp: z.iso.datetime(),
    data: z
      .strictObject({ endpoint_id: z.string(), outcomes: z.array(outcomeSchema) })
      .openapi("OutcomesData"),
  })
  .openapi("OutcomesEvent");
export type OutcomesEvent = z.infer<typeof outcomesEventSchema>;

/** The same event as it is stored. */
export interface StoredOutcomesEvent {
  type: typeof OUTCOMES_REPORTED;
  timestamp: string;
  data: { endpoint_id: string; outcomes: StoredOutcome[] };
}
