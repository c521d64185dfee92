import { createRoute, z } from "@hono/zod-openapi";
import { eraseUser } from "../../erasure/eraseUser.ts";
import * as read from "../../users/read.ts";
import { userSchema, userWithSourcesSchema } from "../../users/user.ts";
import { endpoint } from "../context.ts";
import { answerPage, pageOf, pageQuery } from "../pages.ts";
import { notFoundProblem, problem, readProblems } from "../problem.ts";
import { noQuery } from "../query.ts";

const listRoute = createRoute({
  method: "get",
  path: "/api/users/",
  summary: "Users that were pinged, by id",
  request: { query: z.strictObject(pageQuery) },
  responses: {
    200: {
      description: "A page of users.",
      content: { "application/json": { schema: pageOf("UserPage", userSchema) } },
    },
    ...readProblems,
  },
});

export const listUsers = endpoint(listRoute, async (c) =>
  answerPage(c, c.req.valid("query"), {
    name: "users",
    position: z.tuple([z.string()]),
    read: async (_filters, page) => read.listUsers(c.env, c.var.partner.partner_id, page),
  }),
);

const getRoute = createRoute({
  method: "get",
  path: "/api/users/{user_id}/",
  summary: "One user: sources, counts, running imports, held pings",
  request: { params: z.object({ user_id: z.string() }), query: noQuery },
  responses: {
    200: { description: "The user.", content: { "application/json": { schema: userWithSourcesSchema } } },
    ...readProblems,
    ...notFoundProblem,
  },
});

export const getUser = endpoint(getRoute, async (c) => {
  const { user_id } = c.req.valid("param");
  const user = await read.readUser(c.env, c.var.partner.partner_id, user_id);
  return user === null ? problem(c, "not_found", "There is no such user.") : c.json(user, 200);
});

const deleteRoute = createRoute({
  method: "delete",
  path: "/api/users/{user_id}/",
  summary: "Erase a user with everything that is kept of it",
  request: { params: z.object({ user_id: z.string() }), query: noQuery },
  responses: {
    202: {
      description: "It is gone, or will be in a moment. Pinging the user again starts afresh.",
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
  const known = await eraseUser(c.env, c.var.partner.partner_id, user_id, Date.now());
  return known
    ? c.json({ user_id, status: "deleting" as const }, 202)
    : problem(c, "not_found", "There is no such user.");
});
