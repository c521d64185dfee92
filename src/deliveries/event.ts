import { z } from "@hono/zod-openapi";

/** `waiting`: waits for the first attempt of another delivery. `recorded`: no receiver is configured. */
export type DeliveryStatus = "waiting" | "pending" | "held" | "delivered" | "failed" | "recorded";

/** `held`: the endpoint is on hold or unverified. */
export const EVENT_STATUSES = ["pending", "held", "delivered", "failed"] as const;
export type EventStatus = (typeof EVENT_STATUSES)[number];
export const eventStatusSchema = z.enum(EVENT_STATUSES).openapi("EventStatus");

/** Returns the status that a partner reads: an event that waits is pending. */
export function visibleEventStatus(status: DeliveryStatus): EventStatus {
  return status === "waiting" || status === "recorded" ? "pending" : status;
}

/** JSON of the request body. */
export const eventBodySchema = z.strictObject({
  type: z.string(),
  timestamp: z.string(),
  data: z.record(z.string(), z.unknown()),
});

export const eventSchema = z
  .strictObject({
    /** The `webhook-id`. */
    id: z.string(),
    ...eventBodySchema.shape,
    /** Null when no endpoint wanted the event. */
    endpoint_id: z.string().nullable(),
    import_id: z.string().nullable(),
    user_id: z.string().nullable(),
    status: eventStatusSchema,
    attempt_count: z.number().int(),
    attempts_left: z.number().int().min(0),
    next_attempt_at: z.iso.datetime().nullable(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi("PartnerEvent");
export type Event = z.infer<typeof eventSchema>;

const attemptSchema = z
  .strictObject({
    at: z.iso.datetime(),
    /** Null when the receiver did not respond. */
    status: z.number().int().nullable(),
    milliseconds: z.number(),
    /** First bytes of the response, or the reason why none arrived. */
    answer: z.string().nullable(),
  })
  .openapi("DeliveryAttempt");

export const eventWithAttemptsSchema = z
  .strictObject({ ...eventSchema.shape, attempts: z.array(attemptSchema) })
  .openapi("EventWithAttempts");
export type EventWithAttempts = z.infer<typeof eventWithAttemptsSchema>;
