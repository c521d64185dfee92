import { createRoute, z } from "@hono/zod-openapi";
import type { Fault } from "../../fault.ts";
import type { AddressRules } from "../../outbound/address.ts";
import { acceptPings } from "../../pings/acceptPings.ts";
import { pingRequestSchema, readCallbacks } from "../../pings/ping.ts";
import { endpoint, type Answering } from "../context.ts";
import { jsonBody } from "../jsonBody.ts";
import { noQuery } from "../pages.ts";
import { faultsIn, refusal, refuseInvalid, writeProblems, type Refused } from "../problem.ts";

/** 5,000 pings with long signed URLs, or one 8 MiB file in base64 with room for others. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

const acceptedSchema = z
  .strictObject({
    accepted: z.number().int(),
    files: z.array(
      z.strictObject({
        file_id: z.string(),
        user_id: z.string(),
        source: z.string(),
        summary_id: z.string(),
        status: z.enum(["queued", "held", "duplicate"]),
      }),
    ),
  })
  .openapi("AcceptedPings");

const route = createRoute({
  method: "post",
  path: "/api/fit_partner_ping/",
  summary: "Announce FIT files, or bring them along",
  middleware: jsonBody(MAX_BODY_BYTES),
  request: {
    query: noQuery,
    body: { required: true, content: { "application/json": { schema: pingRequestSchema } } },
  },
  responses: {
    202: {
      description: "Taken: each file will end as imported, or as failed with a reason.",
      content: { "application/json": { schema: acceptedSchema } },
    },
    ...writeProblems,
  },
});

type Asked = Answering & { req: { url: string } };

function addressRules(c: Asked): AddressRules {
  return {
    local: c.env.ENVIRONMENT === "local",
    allowedHosts: c.var.partner.callback_hosts,
    ownHost: new URL(c.req.url).host,
  };
}

/** The callback_url of each item of a body that the schema refused, as far as there is one. */
function callbackUrlsIn(body: unknown): (string | null)[] {
  const items = z.object({ activity_files: z.array(z.unknown()) }).safeParse(body);
  if (!items.success) return [];
  return items.data.activity_files.map((item) => {
    const found =
      typeof item === "object" && item !== null && "callback_url" in item ? item.callback_url : null;
    return typeof found === "string" ? found : null;
  });
}

function itemOf(fault: Fault): number {
  return Number(fault.pointer.split("/")[2] ?? -1);
}

/** The schema does not look into callback URLs: what is wrong there is told together with the rest. */
async function refusePings(c: Asked, result: Refused): Promise<Response> {
  const faults = faultsIn(result);
  if (faults.some((fault) => fault.code === "too_many_items")) return refuseInvalid(c, faults);
  const callbacks = await readCallbacks(callbackUrlsIn(result.data), addressRules(c));
  return refusal(
    c,
    [...faults, ...callbacks.faults].toSorted((a, b) => itemOf(a) - itemOf(b)),
  );
}

export const postPings = endpoint(
  route,
  async (c) => {
    const pings = c.req.valid("json").activity_files;
    const { inline, faults } = await readCallbacks(
      pings.map((ping) => ping.callback_url),
      addressRules(c),
    );
    if (faults.length > 0) return refusal(c, faults);
    const valid = pings.map((ping, index) => ({ ...ping, inline: inline[index] ?? null }));
    const files = await acceptPings(c.env, c.var.partner, valid, Date.now());
    c.var.noted["files"] = files.length;
    return c.json({ accepted: files.length, files }, 202);
  },
  (result, c) => (result.success ? undefined : refusePings(c, result)),
);
