import { createRoute, z } from "@hono/zod-openapi";
import { TEST_EVENTS_A_DAY } from "../../contract/limits.ts";
import { nameText, userIdText } from "../../contract/text.ts";
import { eventSchema, eventStatusSchema, eventWithAttemptsSchema } from "../../deliveries/event.ts";
import * as read from "../../deliveries/read.ts";
import { TEST } from "../../deliveries/forged.ts";
import * as sending from "../../deliveries/sendEvent.ts";
import { receiversOfEvent, storedEndpoints } from "../../endpoints/read.ts";
import { endpoint, type RequestContext } from "../context.ts";
import { pageResponse, pageOf, pageQuery } from "../pages.ts";
import { conflictProblem, notFound, notFoundProblem, problem, readProblems } from "../problem.ts";
import { instant, noQuery } from "../query.ts";
import { rateLimited } from "../rateLimit.ts";

const listRoute = createRoute({
  method: "get",
  path: "/api/events/",
  summary: "List events, newest first; with `updated_since`, in the order of their changes",
  request: {
    query: z.strictObject({
      ...pageQuery,
      status: eventStatusSchema.optional(),
      type: nameText.optional(),
      user_id: userIdText.optional(),
      import_id: nameText.optional(),
      endpoint_id: nameText.optional(),
      event_id: nameText.optional(),
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
  pageResponse(c, c.req.valid("query"), {
    name: "events",
    position: z.tuple([z.number(), z.string()]),
    read: async (filters, page) => read.listEvents(c.env, c.var.partner, filters, page),
  }),
);

const getRoute = createRoute({
  method: "get",
  path: "/api/events/{id}/",
  summary: "Get an event with its delivery attempts",
  request: { params: z.object({ id: z.string() }), query: noQuery },
  responses: {
    200: { description: "The event.", content: { "application/json": { schema: eventWithAttemptsSchema } } },
    ...readProblems,
    ...notFoundProblem,
  },
});

export const getEvent = endpoint(getRoute, async (c) => {
  const { id } = c.req.valid("param");
  const event = await read.readEvent(c.env, c.var.partner, id);
  return event === null ? notFound(c, "event") : c.json(event, 200);
});

function noEventUrl(c: RequestContext) {
  return problem(
    c,
    "no_event_url",
    "No endpoint receives the event: the partner has none for its type, or the event's endpoint was deleted. Create an endpoint with `POST /api/endpoints/`, or add the type to one.",
  );
}

const accepted = {
  202: {
    description: "The event. The first attempt is made at once. Further attempts follow the retry schedule.",
    content: { "application/json": { schema: eventWithAttemptsSchema } },
  },
  ...readProblems,
};

/** Retry-After at the daily limit. An event of the previous day has probably left the 24-hour window by then. */
const TEST_EVENT_RETRY_SECONDS = 3_600;

function testLimit(c: RequestContext) {
  const limit = TEST_EVENTS_A_DAY.toLocaleString("en");
  return rateLimited(
    c,
    `The partner sent ${limit} test events in the last 24 hours, which is the limit. Send the request again after the time in \`Retry-After\`.`,
    TEST_EVENT_RETRY_SECONDS,
  );
}

const resendRoute = createRoute({
  method: "post",
  path: "/api/events/{id}/resend/",
  summary: "Send an event again now, with a new retry schedule",
  request: { params: z.object({ id: z.string() }), query: noQuery },
  responses: {
    ...accepted,
    ...notFoundProblem,
    ...conflictProblem("no_event_url", "event_in_delivery"),
  },
});

export const resendEvent = endpoint(resendRoute, async (c) => {
  const { id } = c.req.valid("param");
  const { partner } = c.var;
  const event = await read.readEvent(c.env, partner, id);
  if (event === null) return notFound(c, "event");
  const receivers = await receiversOfEvent(c.env, partner, event);
  if (receivers.length === 0) return noEventUrl(c);
  if (event.type === TEST && (await sending.isAtTestLimit(c.env, partner, Date.now()))) return testLimit(c);
  if (!(await sending.resendEvent(c.env, partner, id, receivers, Date.now()))) {
    return problem(
      c,
      "event_in_delivery",
      "An attempt to deliver this event is in progress or due. Read the event's `attempts` in a minute.",
    );
  }
  return c.json((await read.readEvent(c.env, partner, id)) ?? event, 202);
});

const testRoute = createRoute({
  method: "post",
  path: "/api/events/test/",
  summary: "Send a test event to the partner's receiver",
  request: {
    query: z.strictObject({
      endpoint_id: nameText.optional(),
      challenge: z
        .string()
        .regex(/^[A-Za-z0-9_-]{1,64}$/)
        .optional(),
      signature: z.literal("wrong").optional(),
    }),
  },
  responses: { ...accepted, ...notFoundProblem, ...conflictProblem("no_event_url") },
});

export const sendTestEvent = endpoint(testRoute, async (c) => {
  const { partner } = c.var;
  const query = c.req.valid("query");
  const endpoints = await storedEndpoints(c.env, partner);
  const receiver =
    query.endpoint_id === undefined
      ? endpoints[0]
      : endpoints.find(({ endpoint_id }) => endpoint_id === query.endpoint_id);
  if (receiver === undefined)
    return query.endpoint_id === undefined ? noEventUrl(c) : notFound(c, "endpoint");
  const { endpoint_id } = receiver;
  const eventId = await sending.sendTestEvent(c.env, partner, { ...query, endpoint_id }, Date.now());
  if (eventId === null) return testLimit(c);
  const event = await read.readEvent(c.env, partner, eventId);
  if (event === null) throw new Error("a test event cannot be read after it was stored");
  return c.json(event, 202);
});
