import { createRoute } from "@hono/zod-openapi";
import { settingsOf } from "../../partners/partner.ts";
import { partnerWithUsageSchema } from "../../partners/settings.ts";
import { endpoint } from "../context.ts";
import { readProblems } from "../problem.ts";
import { noQuery } from "../query.ts";

const route = createRoute({
  method: "get",
  path: "/api/partner/",
  summary: "Get the partner's settings, without secrets, and its usage",
  request: { query: noQuery },
  responses: {
    200: {
      description: "The settings.",
      content: { "application/json": { schema: partnerWithUsageSchema } },
    },
    ...readProblems,
  },
});

export const getPartner = endpoint(route, (c) =>
  c.json({ ...settingsOf(c.var.partner, Date.now()), usage: c.var.usage }, 200),
);
