import { createRoute } from "@hono/zod-openapi";
import { OVERVIEW_DAYS } from "../../contract/limits.ts";
import { overviewSchema } from "../../overview/overview.ts";
import { readOverview } from "../../overview/read.ts";
import { endpoint } from "../context.ts";
import { readProblems } from "../problem.ts";
import { noQuery } from "../query.ts";
import { chargeRows } from "../rateLimit.ts";

const route = createRoute({
  method: "get",
  path: "/api/overview/",
  summary: `Get counts of files, imports and events of the last ${OVERVIEW_DAYS} days`,
  request: { query: noQuery },
  responses: {
    200: { description: "The counts.", content: { "application/json": { schema: overviewSchema } } },
    ...readProblems,
  },
});

export const getOverview = endpoint(route, async (c) =>
  c.json(await readOverview(c.env, c.var.partner, Date.now(), (rows) => chargeRows(c, rows)), 200),
);
