import { createRoute, z } from "@hono/zod-openapi";
import { live } from "../../partners/partner.ts";
import { endpoint } from "../context.ts";
import { noQuery } from "../pages.ts";
import { readProblems } from "../problem.ts";

const instant = z.iso.datetime();
const perMinute = z.number().int().nullable().openapi({ description: "Null: no limit." });

const partnerSettingsSchema = z
  .strictObject({
    partner_id: z.string(),
    name: z.string().nullable(),
    status: z.enum(["active", "suspended"]),
    created_at: instant,
    keys: z.array(
      z.strictObject({ key_id: z.string(), created_at: instant, expires_at: instant.nullable() }),
    ),
    event_url: z.string().nullable(),
    webhook_secrets: z.array(
      z.strictObject({ secret_id: z.string(), created_at: instant, expires_at: instant.nullable() }),
    ),
    callback_hosts: z
      .array(z.string())
      .openapi({ description: "Hosts that callback URLs may name; empty: any public one." }),
    limits: z.strictObject({ requests_per_minute: perMinute, files_per_minute: perMinute }),
  })
  .openapi("PartnerSettings");

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
