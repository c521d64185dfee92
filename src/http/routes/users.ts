import { createRoute, z } from "@hono/zod-openapi";
import { databaseFor } from "../../database/databases.ts";
import { eraseUser } from "../../erasure/eraseUser.ts";
import { nameText } from "../../contract/text.ts";
import { MemoryShortage } from "../../memory/budget.ts";
import { baselineSchema } from "../../training/baseline.ts";
import { readBaseline } from "../../training/read.ts";
import * as read from "../../users/read.ts";
import { userSchema, userWithSourcesSchema } from "../../users/user.ts";
import { endpoint } from "../context.ts";
import { pageResponse, pageOf, pageQuery } from "../pages.ts";
import { memoryShort, notFound, notFoundProblem, readProblems } from "../problem.ts";
import { noQuery } from "../query.ts";
import { chargeRows } from "../rateLimit.ts";

const listRoute = createRoute({
  method: "get",
  path: "/api/users/",
  summary: "List users by id",
  request: { query: z.strictObject({ ...pageQuery, user_id_prefix: nameText.optional() }) },
  responses: {
    200: {
      description: "A page of users.",
      content: { "application/json": { schema: pageOf("UserPage", userSchema) } },
    },
    ...readProblems,
  },
});

export const listUsers = endpoint(listRoute, async (c) =>
  pageResponse(c, c.req.valid("query"), {
    name: "users",
    position: z.tuple([z.string()]),
    read: async ({ user_id_prefix }, page) =>
      read.listUsers(c.env, c.var.partner, user_id_prefix ?? "", page),
  }),
);

const getRoute = createRoute({
  method: "get",
  path: "/api/users/{user_id}/",
  summary: "Get a user with its sources, counts, running imports and held files",
  request: { params: z.object({ user_id: z.string() }), query: noQuery },
  responses: {
    200: { description: "The user.", content: { "application/json": { schema: userWithSourcesSchema } } },
    ...readProblems,
    ...notFoundProblem,
  },
});

export const getUser = endpoint(getRoute, async (c) => {
  const { user_id } = c.req.valid("param");
  const user = await read.readUser(c.env, c.var.partner, user_id, (rows) => chargeRows(c, rows));
  return user === null ? notFound(c, "user") : c.json(user, 200);
});

const trainingRoute = createRoute({
  method: "get",
  path: "/api/users/{user_id}/training/",
  summary: "Get the training of a user: load by week and day, fitness, best efforts and thresholds",
  request: { params: z.object({ user_id: z.string() }), query: noQuery },
  responses: {
    200: { description: "The baseline.", content: { "application/json": { schema: baselineSchema } } },
    ...readProblems,
    ...notFoundProblem,
  },
});

export const getTraining = endpoint(trainingRoute, async (c) => {
  const { user_id } = c.req.valid("param");
  try {
    const { partner } = c.var;
    const { baseline, rowsRead } = await readBaseline(
      databaseFor(c.env, partner),
      partner,
      user_id,
      Date.now(),
    );
    chargeRows(c, rowsRead);
    return baseline === null ? notFound(c, "user") : c.json(baseline, 200);
  } catch (fault) {
    if (fault instanceof MemoryShortage) return memoryShort(c);
    throw fault;
  }
});

const deleteRoute = createRoute({
  method: "delete",
  path: "/api/users/{user_id}/",
  summary: "Erase a user and all its data",
  request: { params: z.object({ user_id: z.string() }), query: noQuery },
  responses: {
    202: {
      description:
        "The erasure has started. A later ping of the user creates it again, without its old data.",
      content: {
        "application/json": {
          schema: z
            .strictObject({ user_id: z.string(), status: z.literal("deleting") })
            .openapi("DeletedUser"),
        },
      },
    },
    ...readProblems,
    ...notFoundProblem,
  },
});

export const deleteUser = endpoint(deleteRoute, async (c) => {
  const { user_id } = c.req.valid("param");
  const known = await eraseUser(c.env, c.var.partner, user_id, Date.now());
  return known ? c.json({ user_id, status: "deleting" as const }, 202) : notFound(c, "user");
});
