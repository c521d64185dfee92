import { createRoute, z } from "@hono/zod-openapi";
import { endpoint } from "../context.ts";
import { openProblems } from "../problem.ts";
import { noQuery } from "../query.ts";

const healthSchema = z.strictObject({ status: z.literal("ok") }).openapi("Health");

const route = createRoute({
  method: "get",
  path: "/health/",
  summary: "Whether the service answers",
  security: [],
  request: { query: noQuery },
  responses: {
    200: { description: "It does.", content: { "application/json": { schema: healthSchema } } },
    ...openProblems,
  },
});

export const getHealth = endpoint(route, (c) => c.json({ status: "ok" as const }, 200));
