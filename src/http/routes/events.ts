import { createRoute, z } from "@hono/zod-openapi";
import {
  EVENT_STATUSES,
  eventSchema,
  eventWithAttemptsSchema,
  TEST_EVENTS_A_DAY,
} from "../../deliveries/event.ts";
import * as read from "../../deliveries/read.ts";
import * as sending from "../../deliveries/sendEvent.ts";
import { endpoint, type RequestContext } from "../context.ts";
import { answerPage, pageOf, pageQuery } from "../pages.ts";
import { conflictProblem, notFoundProblem, problem, readProblems } from "../problem.ts";
import { instant, noQuery } from "../query.ts";

const listRoute = createRoute({
  method: "get",
  path: "/api/events/",
  summary: "Events, newest first; with updated_since a feed in the order of their changes",
  request: {
    query: z.strictObject({
      ...pageQuery,
      status: z.enum(EVENT_STATUSES).optional(),
      updated_since: instant.optional(),
    }),
  },
  responses: {
    200: {
      description: "A page of events.",
      content: { "application/json": { schema: pageOf("EventPage", eventSchema) } },
    },
    ...readProblems,
  },
});

export const listEvents = endpoint(listRoute, async (c) =>
  answerPage(c, c.req.valid("query"), {
    name: "events",
    position: z.tuple([z.number(), z.string()]),
    read: async (filters, page) => read.listEvents(c.env, c.var.partner.partner_id, filters, page),
  }),
);

const getRoute = createRoute({
  method: "get",
  path: "/api/events/{event_id}/",
  summary: "One event with every attempt to deliver it",
  request: { params: z.object({ event_id: z.string() }), query: noQuery },
  responses: {
    200: { description: "The event.", content: { "application/json": { schema: eventWithAttemptsSchema } } },
    ...readProblems,
    ...notFoundProblem,
  },
});

export const getEvent = endpoint(getRoute, async (c) => {
  const { event_id } = c.req.valid("param");
  const event = await read.readEvent(c.env, c.var.partner.partner_id, event_id);
  return event === null ? problem(c, "not_found", "There is no such event.") : c.json(event, 200);
});

function noEventUrl(c: RequestContext) {
  return problem(c, "no_event_url", "There is no event_url to send it to.");
}

const accepted = {
  202: {
    description: "The event; it is sent at once and then by its schedule.",
    content: { "application/json": { schema: eventWithAttemptsSchema } },
  },
  ...readProblems,
};

const resendRoute = createRoute({
  method: "post",
  path: "/api/events/{event_id}/resend/",
  summary: "Send an event again now, by a fresh schedule",
  request: { params: z.object({ event_id: z.string() }), query: noQuery },
  responses: {
    ...accepted,
    ...notFoundProblem,
    ...conflictProblem("no_event_url", "event_in_delivery"),
  },
});

export const resendEvent = endpoint(resendRoute, async (c) => {
  const { event_id } = c.req.valid("param");
  const { partner_id, event_url } = c.var.partner;
  const event = await read.readEvent(c.env, partner_id, event_id);
  if (event === null) return problem(c, "not_found", "There is no such event.");
  if (event_url === null) return noEventUrl(c);
  if (!(await sending.resendEvent(c.env, partner_id, event_id, Date.now()))) {
    return problem(c, "event_in_delivery", "It is being delivered, or is due.");
  }
  return c.json((await read.readEvent(c.env, partner_id, event_id)) ?? event, 202);
});

const testRoute = createRoute({
  method: "post",
  path: "/api/events/test/",
  summary: "Send an event that means nothing, to try out the receiver",
  request: {
    query: z.strictObject({
      challenge: z
        .string()
        .regex(/^[A-Za-z0-9_-]{1,64}$/)
        .optional(),
      signature: z.literal("wrong").optional(),
    }),
  },
  responses: { ...accepted, ...conflictProblem("no_event_url") },
});

/** One of the day before has become too old to count by then, more likely than not. */
const TEST_EVENT_RETRY_SECONDS = 3_600;

export const sendTestEvent = endpoint(testRoute, async (c) => {
  const { partner_id, event_url } = c.var.partner;
  if (event_url === null) return noEventUrl(c);
  const eventId = await sending.sendTestEvent(c.env, partner_id, c.req.valid("query"), Date.now());
  if (eventId === null) {
    const most = TEST_EVENTS_A_DAY.toLocaleString("en");
    return problem(c, "rate_limited", `At most ${most} test events in 24 hours.`, {
      headers: { "Retry-After": String(TEST_EVENT_RETRY_SECONDS) },
    });
  }
  const event = await read.readEvent(c.env, partner_id, eventId);
  if (event === null) throw new Error("the event that was just stored cannot be read");
  return c.json(event, 202);
});
