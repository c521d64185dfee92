import { createRoute } from "@hono/zod-openapi";
import { partnerSettingsSchema } from "../../partners/settings.ts";
import { live } from "../../partners/partner.ts";
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

export const getPartner = endpoint(route, (c) => {
  const { partner_id, name, status, created_at, keys, event_url, webhook_secrets, callback_hosts, limits } =
    c.var.partner;
  const nowMs = Date.now();
  return c.json(
    {
      partner_id,
      name,
      status,
      created_at,
      keys: live(keys, nowMs).map(({ key_id, created_at, expires_at }) => ({
        key_id,
        created_at,
        expires_at,
      })),
      event_url,
      webhook_secrets: live(webhook_secrets, nowMs).map(({ secret_id, created_at, expires_at }) => ({
        secret_id,
        created_at,
        expires_at,
      })),
      callback_hosts,
      limits,
    },
    200,
  );
});
