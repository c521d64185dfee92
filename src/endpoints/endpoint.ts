import { z } from "@hono/zod-openapi";
import { webhookSecretSchema } from "../partners/settings.ts";
import { EVENT_TYPES, type OUTCOME_TYPES } from "./eventTypes.ts";

export {
  DEFAULT_ENDPOINT,
  EVENT_TYPES,
  IMPORT_CANCELLED,
  IMPORT_COMPLETED,
  OUTCOME_TYPES,
  USER_ERASED,
} from "./eventTypes.ts";

export type EventType = (typeof EVENT_TYPES)[number];
export const eventTypeSchema = z.enum(EVENT_TYPES).openapi("EventType");

export type OutcomeType = (typeof OUTCOME_TYPES)[number];

/** Receiver of an event that no endpoint wants. It is never sent, but partners can read it. */
export const NO_ENDPOINT = "ep_none";
/** Prefix of the ids of other endpoints. */
export const ENDPOINT_PREFIX = "ep_";

/** Why an endpoint receives no events, or how its last attempts went. */
export const ENDPOINT_STATES = ["unverified", "active", "failing", "disabled"] as const;

const instant = z.iso.datetime();

const daySchema = z
  .strictObject({ day: z.iso.date(), delivered: z.number().int(), failed: z.number().int() })
  .openapi("EndpointDay");

/** An endpoint, as a partner reads it. */
export const endpointSchema = z
  .strictObject({
    endpoint_id: z.string(),
    url: z.string(),
    event_types: z.array(eventTypeSchema),
    include_history: z.boolean(),
    on_hold: z.boolean(),
    state: z.enum(ENDPOINT_STATES).openapi("EndpointState"),
    reason: z.string().nullable(),
    webhook_secrets: z.array(webhookSecretSchema),
    days: z.array(daySchema),
    created_at: instant,
    verified_at: instant.nullable(),
    failing_since: instant.nullable(),
    disabled_at: instant.nullable(),
  })
  .openapi("Endpoint");
export type Endpoint = z.infer<typeof endpointSchema>;
