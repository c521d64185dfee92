import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import {
  activitySchema,
  activityWithPartsSchema,
  DEVELOPER_PREFIX,
  removedActivitySchema,
  rrIntervalsSchema,
  STREAM_KEYS,
  streamsSchema,
} from "../../activities/activity.ts";
import { editActivity } from "../../activities/editActivity.ts";
import * as read from "../../activities/read.ts";
import { readActivityWithDetails } from "../../activities/readDetails.ts";
import { readRrIntervals, readStreams, type DataAnswer } from "../../activities/readData.ts";
import { splitKeys } from "../../activities/splitKeys.pure.ts";
import { MAX_EDIT_BODY_BYTES } from "../../contract/limits.ts";
import { nameText, userIdText } from "../../contract/text.ts";
import { MemoryShortage } from "../../memory/budget.ts";
import { activityEditSchema, pendingEditSchema } from "../edit.ts";
import { jsonBody } from "../jsonBody.ts";
import { heldJson } from "../heldResponse.ts";
import { endpoint, type AppEnv, type RequestContext } from "../context.ts";
import { pageResponse, pageOf, pageQuery } from "../pages.ts";
import {
  responseTooLargeProblem,
  memoryShort,
  notFound,
  notFoundProblem,
  originalDamaged,
  originalMissing,
  originalProblems,
  problem,
  readProblems,
  writeProblems,
} from "../problem.ts";
import { includeDeleted, instant, integer, noQuery, requireUpdatedSince, unixSeconds } from "../query.ts";
import { chargeBytes } from "../rateLimit.ts";

/** Maximum `resolution`: more points than an activity has. A day at ten records per second has 864,000. */
const MAX_POINTS = 1_000_000;

const params = z.object({ activity_id: z.string() });

const canonicalOnly = z
  .enum(["true", "false"])
  .transform((text) => text === "true")
  .optional()
  .openapi({ type: "string", enum: ["true", "false"] });

/** Rejects `canonical` with `updated_since`: a recording becomes canonical by a change of another one, which its own time of change does not show. */
function rejectUpdatedSince(
  query: { canonical?: boolean | undefined; updated_since?: number | undefined },
  ctx: z.RefinementCtx,
): void {
  if (query.canonical !== true || query.updated_since === undefined) return;
  const message =
    "Send `canonical` without `updated_since`. A recording can become canonical when another one changes, and lists in the order of changes do not show that.";
  ctx.addIssue({ code: "custom", path: ["canonical"], message });
}

const listRoute = createRoute({
  method: "get",
  path: "/api/activities/",
  summary: "List activities by start time, newest first; with `updated_since`, in the order of their changes",
  request: {
    query: z
      .strictObject({
        ...pageQuery,
        user_id: userIdText.optional(),
        source: nameText.optional(),
        sport: nameText.optional(),
        name_contains: nameText.optional(),
        start_after: unixSeconds.optional(),
        start_before: unixSeconds.optional(),
        canonical: canonicalOnly,
        updated_since: instant.optional(),
        include_deleted: includeDeleted,
      })
      .superRefine(requireUpdatedSince)
      .superRefine(rejectUpdatedSince),
  },
  responses: {
    200: {
      description: "A page of activities, without their details.",
      content: {
        "application/json": {
          schema: pageOf("ActivityPage", z.union([activitySchema, removedActivitySchema])),
        },
      },
    },
    ...readProblems,
  },
});

export const listActivities = endpoint(listRoute, async (c) =>
  pageResponse(c, c.req.valid("query"), {
    name: "activities",
    position: z.union([
      z.tuple([z.number().nullable(), z.string(), z.number()]),
      z.tuple([z.number(), z.string(), z.string(), z.string(), z.number()]),
    ]),
    read: async (filters, page) => read.listActivities(c.env, c.var.partner, filters, page),
  }),
);

const getRoute = createRoute({
  method: "get",
  path: "/api/activities/{activity_id}/",
  summary: "Get an activity with its details",
  request: { params, query: noQuery },
  responses: {
    200: {
      description: "The activity.",
      content: { "application/json": { schema: activityWithPartsSchema } },
    },
    ...readProblems,
    ...originalProblems,
    ...notFoundProblem,
  },
});

type Refusal = Extract<DataAnswer<unknown>, { ok: false }>["code"];

function refuse(c: RequestContext, code: Refusal) {
  switch (code) {
    case "memory_short":
      return memoryShort(c);
    case "no_activity":
      return notFound(c, "activity");
    case "original_missing":
      return originalMissing(c);
    case "original_damaged":
      return originalDamaged(c);
  }
}

export const getActivity = endpoint(getRoute, async (c) => {
  const { activity_id } = c.req.valid("param");
  const found = await readActivityWithDetails(c.env, c.var.partner, activity_id, (bytes) =>
    chargeBytes(c, bytes),
  );
  if (!found.ok) return refuse(c, found.code);
  const { hold, activity } = found;
  let isHeldByResponse = false;
  try {
    const response = heldJson(c, activity, hold);
    isHeldByResponse = response !== null;
    return response ?? memoryShort(c);
  } catch (fault) {
    if (fault instanceof MemoryShortage) return memoryShort(c);
    throw fault;
  } finally {
    if (!isHeldByResponse) hold.release();
  }
});

const patchRoute = createRoute({
  method: "patch",
  path: "/api/activities/{activity_id}/",
  summary: "Correct the sport of an activity, or exclude it from training",
  middleware: jsonBody(MAX_EDIT_BODY_BYTES),
  request: {
    params,
    query: noQuery,
    body: { required: true, content: { "application/json": { schema: activityEditSchema } } },
  },
  responses: {
    200: {
      description: "The activity after the edit, without its details.",
      content: { "application/json": { schema: activitySchema } },
    },
    202: {
      description: "The file is not imported yet. Its activity will have these edits.",
      content: { "application/json": { schema: pendingEditSchema } },
    },
    ...writeProblems,
    ...notFoundProblem,
  },
});

export const patchActivity = endpoint(patchRoute, async (c) => {
  const { activity_id } = c.req.valid("param");
  const edited = await editActivity(c.env, c.var.partner, activity_id, c.req.valid("json"));
  if (edited === null) return notFound(c, "activity");
  if (edited.isImported) return c.json(edited.activity, 200);
  const { sport = null, sub_sport = null, exclude_from_training = null } = edited.edits;
  const pending = { activity_id, file_id: edited.fileId, sport, sub_sport, exclude_from_training };
  return c.json(pending, 202);
});

function isStream(key: string): boolean {
  return key.startsWith(DEVELOPER_PREFIX) || STREAM_KEYS.some((known) => known === key);
}

const streamKeys = z
  .string()
  .refine((text) => splitKeys(text).every(isStream), {
    error: `Send stream names, separated by commas. Known names: ${STREAM_KEYS.join(", ")}, and names that begin with \`${DEVELOPER_PREFIX}\`. Write \\, for a comma within a name.`,
  })
  .transform(splitKeys);

const streamsRoute = createRoute({
  method: "get",
  path: "/api/activities/{activity_id}/streams/",
  summary: "Get the records of an activity as columns of equal length",
  request: {
    params,
    query: z.strictObject({
      keys: streamKeys.optional().openapi({ type: "string" }),
      resolution: integer(1, MAX_POINTS).optional(),
    }),
  },
  responses: {
    200: { description: "The columns.", content: { "application/json": { schema: streamsSchema } } },
    ...readProblems,
    ...responseTooLargeProblem,
    ...originalProblems,
    ...notFoundProblem,
  },
});

/**
 * Returns decoded data of an activity as JSON. Its memory stays reserved until the caller has read it. `tooLarge` is the
 * detail of the problem when the data exceeds the memory for one response.
 */
function dataResponse<T extends object>(c: Context<AppEnv>, answer: DataAnswer<T>, tooLarge: string) {
  if (!answer.ok) return refuse(c, answer.code);
  const { hold, value } = answer;
  try {
    const response = heldJson(c, value, hold);
    if (response !== null) return response;
    hold.release();
    return problem(c, "answer_too_large", tooLarge);
  } catch (fault) {
    hold.release();
    if (fault instanceof MemoryShortage) return memoryShort(c);
    throw fault;
  }
}

export const getStreams = endpoint(streamsRoute, async (c) => {
  const { keys, resolution } = c.req.valid("query");
  const streams = await readStreams(requestOf(c, c.req.valid("param").activity_id), {
    keys: keys ?? null,
    resolution: resolution ?? null,
  });
  return dataResponse(
    c,
    streams.ok
      ? {
          ...streams,
          value: Object.assign({ downsampled: streams.value.downsampled }, streams.value.columns),
        }
      : streams,
    "The columns exceed the memory for one response. Request fewer `keys` or a smaller `resolution`.",
  );
});

const rrRoute = createRoute({
  method: "get",
  path: "/api/activities/{activity_id}/rr/",
  summary: "Get the beat-to-beat intervals of an activity",
  request: { params, query: noQuery },
  responses: {
    200: { description: "The intervals.", content: { "application/json": { schema: rrIntervalsSchema } } },
    ...readProblems,
    ...responseTooLargeProblem,
    ...originalProblems,
    ...notFoundProblem,
  },
});

export const getRrIntervals = endpoint(rrRoute, async (c) =>
  dataResponse(
    c,
    await readRrIntervals(requestOf(c, c.req.valid("param").activity_id)),
    "The intervals exceed the memory for one response. Read the original file instead.",
  ),
);

function requestOf(c: Context<AppEnv>, activityId: string) {
  return {
    env: c.env,
    owner: c.var.partner,
    activityId,
    count: (bytes: number) => chargeBytes(c, bytes),
  };
}
