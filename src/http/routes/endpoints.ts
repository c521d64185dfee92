import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { inWords } from "../../contract/amounts.ts";
import {
  EVENTS_HELD_FOR_MS,
  MAX_ENDPOINTS,
  MAX_JSON_BODY_BYTES,
  MAX_URL_CHARACTERS,
  MAX_WEBHOOK_SECRETS,
  OVERLAP_HOURS,
} from "../../contract/limits.ts";
import { databaseFor } from "../../database/databases.ts";
import { sendTestEvent } from "../../deliveries/sendEvent.ts";
import {
  endpointSchema,
  eventTypeSchema,
  IMPORT_COMPLETED,
  type Endpoint,
} from "../../endpoints/endpoint.ts";
import { endpointsOf, storedEndpoint, storedEndpoints } from "../../endpoints/read.ts";
import { recover } from "../../endpoints/recovery/recover.ts";
import * as write from "../../endpoints/write.ts";
import type { Env } from "../../env.ts";
import { randomId } from "../../identifiers.ts";
import { checkAddress } from "../../outbound/address.ts";
import { addressRules } from "../../outbound/rules.ts";
import type { Partner } from "../../partners/partner.ts";
import { endpoint, type AppEnv, type RequestContext } from "../context.ts";
import { jsonBody } from "../jsonBody.ts";
import {
  conflictProblem,
  notFound,
  notFoundProblem,
  problem,
  readProblems,
  selfServiceProblem,
  validationFailed,
  writeProblems,
} from "../problem.ts";
import { instant, noQuery } from "../query.ts";
import { chargeRows } from "../rateLimit.ts";
import { logChange } from "../selfService.ts";

const HOUR_MS = 60 * 60_000;

const params = z.object({ endpoint_id: z.string() });
const oneEndpoint = {
  200: { description: "The endpoint.", content: { "application/json": { schema: endpointSchema } } },
};

const settings = {
  url: z.string().max(MAX_URL_CHARACTERS),
  event_types: z.array(eventTypeSchema).max(eventTypeSchema.options.length),
  include_history: z.boolean(),
  on_hold: z.boolean(),
};
const newEndpointSchema = z
  .strictObject({
    url: settings.url,
    event_types: settings.event_types.optional(),
    include_history: settings.include_history.optional(),
    on_hold: settings.on_hold.optional(),
  })
  .openapi("NewEndpoint");
const changedEndpointSchema = z
  .strictObject(settings)
  .partial()
  .refine((changes) => Object.values(changes).some((value) => value !== undefined), {
    error: "Send at least one of `url`, `event_types`, `include_history` and `on_hold`.",
  })
  .openapi("ChangedEndpoint");

/** Returns the endpoint as the partner reads it, or null. */
async function viewOf(env: Env, partner: Partner, endpointId: string): Promise<Endpoint | null> {
  const stored = await storedEndpoint(env, partner, endpointId);
  if (stored === null) return null;
  const [view] = await endpointsOf(env, partner, [stored], Date.now());
  return view ?? null;
}

/** Returns a 400 for a URL to which the service sends no requests, or null. */
function refusedUrl(c: RequestContext, url: string | undefined) {
  const check = url === undefined ? null : checkAddress(url, addressRules(c.env, []));
  return check === null || check.ok
    ? null
    : validationFailed(c, [{ pointer: "/url", code: "address_refused", detail: check.detail }]);
}

const listRoute = createRoute({
  method: "get",
  path: "/api/endpoints/",
  summary: "List the endpoints that receive events",
  request: { query: noQuery },
  responses: {
    200: {
      description: "All endpoints, oldest first.",
      content: {
        "application/json": {
          schema: z.strictObject({ data: z.array(endpointSchema) }).openapi("Endpoints"),
        },
      },
    },
    ...readProblems,
  },
});

export const listEndpoints = endpoint(listRoute, async (c) => {
  const { partner } = c.var;
  const stored = await storedEndpoints(c.env, partner);
  return c.json({ data: await endpointsOf(c.env, partner, stored, Date.now()) }, 200);
});

const getRoute = createRoute({
  method: "get",
  path: "/api/endpoints/{endpoint_id}/",
  summary: "Get an endpoint with its state and its attempts by day",
  request: { params, query: noQuery },
  responses: { ...oneEndpoint, ...readProblems, ...notFoundProblem },
});

export const getEndpoint = endpoint(getRoute, async (c) => {
  const view = await viewOf(c.env, c.var.partner, c.req.valid("param").endpoint_id);
  return view === null ? notFound(c, "endpoint") : c.json(view, 200);
});

const createdSchema = z
  .strictObject({
    ...endpointSchema.shape,
    webhook_secret: z.string(),
    challenge_event_id: z.string().nullable(),
  })
  .openapi("CreatedEndpoint");

const postRoute = createRoute({
  method: "post",
  path: "/api/endpoints/",
  summary: "Create an endpoint, and send a challenge to it",
  middleware: jsonBody(MAX_JSON_BODY_BYTES),
  request: {
    query: noQuery,
    body: { required: true, content: { "application/json": { schema: newEndpointSchema } } },
  },
  responses: {
    201: {
      description: "The endpoint with its secret, which is shown only once.",
      content: { "application/json": { schema: createdSchema } },
    },
    ...writeProblems,
    ...selfServiceProblem,
    ...notFoundProblem,
    ...conflictProblem("too_many_endpoints"),
  },
});

export const createEndpoint = endpoint(postRoute, async (c) => {
  const { partner } = c.var;
  const {
    url,
    event_types = [IMPORT_COMPLETED],
    include_history = false,
    on_hold = false,
  } = c.req.valid("json");
  const refused = refusedUrl(c, url);
  if (refused !== null) return refused;
  const nowMs = Date.now();
  const created = await write.createEndpoint(
    c.env,
    partner,
    { url, event_types, include_history, on_hold },
    nowMs,
  );
  if (created === null) {
    return problem(
      c,
      "too_many_endpoints",
      `The partner has ${MAX_ENDPOINTS} endpoints, which is the maximum. Change or delete one of them.`,
    );
  }
  logChange(c, "endpoint_created", created.endpoint_id);
  const challenge_event_id = await sendChallenge(c.env, partner, created.endpoint_id, nowMs);
  const view = await viewOf(c.env, partner, created.endpoint_id);
  if (view === null) return notFound(c, "endpoint");
  return c.json({ ...view, webhook_secret: created.webhook_secret, challenge_event_id }, 201);
});

/** Sends a test event with a challenge, which verifies the endpoint. Returns its id, or null at the daily limit. */
async function sendChallenge(
  env: Env,
  partner: Partner,
  endpointId: string,
  nowMs: number,
): Promise<string | null> {
  return sendTestEvent(env, partner, { endpoint_id: endpointId, challenge: randomId() }, nowMs);
}

const patchRoute = createRoute({
  method: "patch",
  path: "/api/endpoints/{endpoint_id}/",
  summary: "Change an endpoint",
  middleware: jsonBody(MAX_JSON_BODY_BYTES),
  request: {
    params,
    query: noQuery,
    body: { required: true, content: { "application/json": { schema: changedEndpointSchema } } },
  },
  responses: { ...oneEndpoint, ...writeProblems, ...selfServiceProblem, ...notFoundProblem },
});

export const changeEndpoint = endpoint(patchRoute, async (c) => {
  const { partner } = c.var;
  const { endpoint_id } = c.req.valid("param");
  const changes = c.req.valid("json");
  const refused = refusedUrl(c, changes.url);
  if (refused !== null) return refused;
  const nowMs = Date.now();
  if (!(await write.changeEndpoint(c.env, partner, endpoint_id, changes, nowMs)))
    return notFound(c, "endpoint");
  logChange(c, "endpoint_changed", endpoint_id);
  const view = await viewOf(c.env, partner, endpoint_id);
  if (view === null) return notFound(c, "endpoint");
  if (changes.url !== undefined && view.state === "unverified")
    await sendChallenge(c.env, partner, endpoint_id, nowMs);
  if (changes.on_hold === false) await recoverNow(c, endpoint_id, nowMs);
  return c.json(view, 200);
});

/** Sends the first events of a recovery, and counts the rows that it examines. */
async function recoverNow(c: Context<AppEnv>, endpoint_id: string, nowMs: number): Promise<void> {
  const { env } = c;
  const { partner_id, database } = c.var.partner;
  const db = databaseFor(env, c.var.partner);
  const { rowsRead } = await recover(env, { db, database, partner_id, endpoint_id }, nowMs);
  chargeRows(c, rowsRead);
}

const deleteRoute = createRoute({
  method: "delete",
  path: "/api/endpoints/{endpoint_id}/",
  summary: "Delete an endpoint",
  request: { params, query: noQuery },
  responses: {
    200: {
      description: "The endpoint was deleted.",
      content: {
        "application/json": {
          schema: z
            .strictObject({ endpoint_id: z.string(), status: z.literal("deleted") })
            .openapi("DeletedEndpoint"),
        },
      },
    },
    ...readProblems,
    ...selfServiceProblem,
    ...notFoundProblem,
  },
});

export const deleteEndpoint = endpoint(deleteRoute, async (c) => {
  const { endpoint_id } = c.req.valid("param");
  if (!(await write.deleteEndpoint(c.env, c.var.partner, endpoint_id, Date.now())))
    return notFound(c, "endpoint");
  logChange(c, "endpoint_deleted", endpoint_id);
  return c.json({ endpoint_id, status: "deleted" as const }, 200);
});

const recoverRoute = createRoute({
  method: "post",
  path: "/api/endpoints/{endpoint_id}/recover/",
  summary: "Resend events that failed or were held since a time",
  middleware: jsonBody(MAX_JSON_BODY_BYTES),
  request: {
    params,
    query: noQuery,
    body: {
      required: true,
      content: { "application/json": { schema: z.strictObject({ since: instant }).openapi("Recovery") } },
    },
  },
  responses: {
    202: {
      description: "The endpoint. Its events are sent again, oldest first.",
      content: { "application/json": { schema: endpointSchema } },
    },
    ...writeProblems,
    ...selfServiceProblem,
    ...notFoundProblem,
    ...conflictProblem("endpoint_on_hold"),
  },
});

export const recoverEndpoint = endpoint(recoverRoute, async (c) => {
  const { partner } = c.var;
  const { endpoint_id } = c.req.valid("param");
  const found = await storedEndpoint(c.env, partner, endpoint_id);
  if (found === null) return notFound(c, "endpoint");
  if (found.on_hold_since !== null) {
    return problem(
      c,
      "endpoint_on_hold",
      `The endpoint is on hold, so its events wait for up to ${inWords(EVENTS_HELD_FOR_MS)}. Send \`"on_hold": false\` to the endpoint: this also sends the events that were held.`,
    );
  }
  const nowMs = Date.now();
  await write.requestRecovery(c.env, partner, endpoint_id, c.req.valid("json").since);
  logChange(c, "endpoint_recovered", endpoint_id);
  await recoverNow(c, endpoint_id, nowMs);
  const view = await viewOf(c.env, partner, endpoint_id);
  return view === null ? notFound(c, "endpoint") : c.json(view, 202);
});

const rotateRoute = createRoute({
  method: "post",
  path: "/api/endpoints/{endpoint_id}/rotate_secret/",
  summary: "Create a new secret for an endpoint",
  middleware: jsonBody(MAX_JSON_BODY_BYTES),
  request: {
    params,
    query: noQuery,
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z
            .strictObject({ overlap_in_hours: z.int().min(0).max(OVERLAP_HOURS.max) })
            .partial()
            .openapi("Rotation"),
        },
      },
    },
  },
  responses: {
    201: {
      description: "The new secret, which is shown only once. Events are signed with each valid secret.",
      content: {
        "application/json": {
          schema: z
            .strictObject({ secret_id: z.string(), webhook_secret: z.string(), endpoint: endpointSchema })
            .openapi("RotatedSecret"),
        },
      },
    },
    ...writeProblems,
    ...selfServiceProblem,
    ...notFoundProblem,
    ...conflictProblem("changed_meanwhile", "too_many_secrets"),
  },
});

export const rotateEndpointSecret = endpoint(rotateRoute, async (c) => {
  const { partner } = c.var;
  const { endpoint_id } = c.req.valid("param");
  const { overlap_in_hours = OVERLAP_HOURS.default } = c.req.valid("json");
  const found = await storedEndpoint(c.env, partner, endpoint_id);
  if (found === null) return notFound(c, "endpoint");
  const rotated = await write.rotateEndpointSecret(
    c.env,
    partner,
    found,
    overlap_in_hours * HOUR_MS,
    Date.now(),
  );
  if (rotated === "too_many_secrets") {
    return problem(
      c,
      "too_many_secrets",
      `The endpoint has ${MAX_WEBHOOK_SECRETS} valid secrets, which is the maximum. Wait until one of them expires, or send \`"overlap_in_hours": 0\`, which expires the older ones at once.`,
    );
  }
  if (rotated !== "changed_meanwhile") logChange(c, "endpoint_secret_rotated", endpoint_id);
  const view = rotated === "changed_meanwhile" ? null : await viewOf(c.env, partner, endpoint_id);
  if (rotated === "changed_meanwhile" || view === null) {
    return problem(
      c,
      "changed_meanwhile",
      "Another request changed the endpoint at the same time. Read it, then send the request again if it is still needed.",
    );
  }
  return c.json({ ...rotated, endpoint: view }, 201);
});
