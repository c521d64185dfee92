import { createRoute, z } from "@hono/zod-openapi";
import type { Fault } from "../../contract/fault.ts";
import { MAX_EDIT_BODY_BYTES } from "../../contract/limits.ts";
import { databaseFor } from "../../database/databases.ts";
import type { Env } from "../../env.ts";
import { checkAddress } from "../../outbound/address.ts";
import { addressRules } from "../../outbound/rules.ts";
import { newerOf } from "../../partners/change.ts";
import { settingsOf, type Partner } from "../../partners/partner.ts";
import { ownSettings, partnerWithUsageSchema } from "../../partners/settings.ts";
import { readStored, runOn } from "../../partners/write.ts";
import { readUsage } from "../../usage/read.ts";
import type { Usage } from "../../usage/usage.ts";
import { endpoint, type RequestContext } from "../context.ts";
import { jsonBody } from "../jsonBody.ts";
import {
  conflictProblem,
  readProblems,
  selfServiceProblem,
  validationFailed,
  writeProblems,
} from "../problem.ts";
import { noQuery } from "../query.ts";
import { changeOwnPartner, logChange } from "../selfService.ts";

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

/** Returns the newest settings, which may not be in force yet. While D1 is down, those in force. */
async function newestSettings(env: Env, partner: Partner): Promise<Partner> {
  const stored = await readStored(runOn(databaseFor(env, partner)), partner.partner_id).catch(() => null);
  return newerOf(partner, stored);
}

/** Returns what is stored for the partner. While D1 is down, what was stored about a minute ago. */
async function newestUsage({ env, var: { partner, usage } }: RequestContext): Promise<Usage> {
  return readUsage(env, partner).catch(() => usage);
}

export const getPartner = endpoint(route, async (c) => {
  const [partner, usage] = await Promise.all([newestSettings(c.env, c.var.partner), newestUsage(c)]);
  return c.json({ ...settingsOf(partner, Date.now()), usage }, 200);
});

const changesSchema = z
  .strictObject(ownSettings)
  .partial()
  .refine((changes) => Object.values(changes).some((value) => value !== undefined), {
    error: "Send at least one of `callback_hosts`, `source_order` and `prefetch_held`.",
  })
  .openapi("PartnerChanges");

/** Characters of a host name in lower case. The address check would explain any other as a fault of a URL. */
const HOST_CHARACTERS = /^[a-z0-9.-]+$/;

/** Returns a fault for each text that is not a host name, or names a host that the service does not call. */
function hostFaults(env: Env, hosts: readonly string[]): Fault[] {
  return hosts.flatMap((host, index): Fault[] => {
    const check = checkAddress(`https://${host}/`, addressRules(env, []));
    if (check.ok && check.url.hostname === host) return [];
    const detail =
      check.ok || !HOST_CHARACTERS.test(host)
        ? "Send a host name such as `files.example.com`, without scheme, port or path."
        : check.detail;
    return [{ pointer: `/callback_hosts/${index}`, code: "address_refused", detail }];
  });
}

const patchRoute = createRoute({
  method: "patch",
  path: "/api/partner/",
  summary: "Change the partner's settings",
  middleware: jsonBody(MAX_EDIT_BODY_BYTES),
  request: {
    query: noQuery,
    body: { required: true, content: { "application/json": { schema: changesSchema } } },
  },
  responses: {
    200: {
      description: "The changed settings.",
      content: {
        "application/json": {
          schema: z
            .strictObject({ ...partnerWithUsageSchema.shape, in_force_at: z.iso.datetime() })
            .openapi("ChangedPartner"),
        },
      },
    },
    ...writeProblems,
    ...selfServiceProblem,
    ...conflictProblem("changed_meanwhile"),
  },
});

export const patchPartner = endpoint(patchRoute, async (c) => {
  const { callback_hosts, source_order, prefetch_held } = c.req.valid("json");
  const faults = hostFaults(c.env, callback_hosts ?? []);
  if (faults.length > 0) return validationFailed(c, faults);
  const changed = await changeOwnPartner<never>(c, (newest) => ({
    ok: true,
    partner: {
      ...newest,
      callback_hosts: callback_hosts ?? newest.callback_hosts,
      source_order: source_order ?? newest.source_order,
      prefetch_held: prefetch_held ?? newest.prefetch_held,
    },
  }));
  if (!changed.ok) return changed.response;
  logChange(c, "settings_changed");
  const settings = { ...settingsOf(changed.partner, Date.now()), usage: await newestUsage(c) };
  return c.json({ ...settings, in_force_at: changed.in_force_at }, 200);
});
