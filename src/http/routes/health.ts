import { createRoute, z } from "@hono/zod-openapi";
import { endpoint } from "../context.ts";
import { publicProblems } from "../problem.ts";
import { noQuery } from "../query.ts";

const healthSchema = z.strictObject({ status: z.literal("ok") }).openapi("Health");

const route = createRoute({
  method: "get",
  path: "/health/",
  summary: "Check that the service is available",
  security: [],
  request: { query: noQuery },
  responses: {
    200: {
      description: "The service is available.",
      content: { "application/json": { schema: healthSchema } },
    },
    ...publicProblems,
  },
});

export const getHealth = endpoint(route, (c) => c.json({ status: "ok" as const }, 200));
