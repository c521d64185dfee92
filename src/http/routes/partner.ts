import { createRoute } from "@hono/zod-openapi";
import { settingsOf } from "../../partners/partner.ts";
import { partnerSettingsSchema } from "../../partners/settings.ts";
import { endpoint } from "../context.ts";
import { readProblems } from "../problem.ts";
import { noQuery } from "../query.ts";

const route = createRoute({
  method: "get",
  path: "/api/partner/",
  summary: "The partner's own settings, without its secrets",
  request: { query: noQuery },
  responses: {
    200: { description: "The settings.", content: { "application/json": { schema: partnerSettingsSchema } } },
    ...readProblems,
  },
});

export const getPartner = endpoint(route, (c) => c.json(settingsOf(c.var.partner, Date.now()), 200));
