import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { inWords } from "../../contract/amounts.ts";
import { ERASURE_KEPT_FOR_MS, MAX_JSON_BODY_BYTES } from "../../contract/limits.ts";
import { addressRules } from "../../outbound/rules.ts";
import { acceptedPingsSchema, filesFromLetters, statusLetters } from "../../pings/acceptedPings.ts";
import { acceptPings, previewPings } from "../../pings/acceptPings.ts";
import {
  filesOfItems,
  itemFaults,
  judgePings,
  judgeRejected,
  type JudgedItem,
} from "../../pings/judgeItems.ts";
import { pingRequestSchema, userHashesOf } from "../../pings/ping.ts";
import { exceededQuota } from "../../usage/usage.ts";
import { endpoint, type AppEnv } from "../context.ts";
import { idempotencyKey, runOnce } from "../idempotency.ts";
import { jsonBody } from "../jsonBody.ts";
import { handlingPreference, prefersLenient } from "../prefer.pure.ts";
import {
  conflictProblem,
  databaseFullProblem,
  faultsIn,
  keyReusedProblem,
  problem,
  quotaProblem,
  validationFailed,
  invalidRequest,
  tooManyUsersProblem,
  writeProblems,
  type SchemaFailure,
} from "../problem.ts";
import { dryRunQuery } from "../query.ts";
import { spendFiles } from "../rateLimit.ts";

const route = createRoute({
  method: "post",
  path: "/api/fit_partner_ping/",
  summary: "Announce FIT files by URL, or send them in base64",
  middleware: jsonBody(MAX_JSON_BODY_BYTES),
  request: {
    query: dryRunQuery,
    headers: z.object({
      "Idempotency-Key": idempotencyKey,
      Prefer: handlingPreference,
    }),
    body: { required: true, content: { "application/json": { schema: pingRequestSchema } } },
  },
  responses: {
    202: {
      description:
        "The valid pings are accepted. Each accepted file ends as imported, or as failed with a reason.",
      headers: {
        "Preference-Applied": {
          description: "`handling=lenient` if the request had `Prefer: handling=lenient`.",
          schema: { type: "string" },
        },
      },
      content: { "application/json": { schema: acceptedPingsSchema } },
    },
    ...writeProblems,
    ...tooManyUsersProblem,
    ...quotaProblem,
    ...databaseFullProblem,
    ...conflictProblem("idempotency_in_flight"),
    ...keyReusedProblem,
  },
});

type PingContext = Context<AppEnv>;

const isLenient = (c: PingContext) => prefersLenient(c.req.header("Prefer"));

const rulesOf = (c: PingContext) => addressRules(c.env, c.var.partner.callback_hosts);

/** Accepts the valid items. Rejects the whole request if it has invalid ones, unless the partner asked for leniency. */
async function handleItems(c: PingContext, items: readonly JudgedItem[]) {
  const faults = itemFaults(items);
  return faults.length > 0 && !isLenient(c) ? validationFailed(c, faults) : acceptItems(c, items);
}

/** Rejects pings of a partner with a used-up quota. The usage is minutes old, so a partner may exceed its quota a little. */
function quotaExceeded(c: PingContext, { unit, quota }: NonNullable<ReturnType<typeof exceededQuota>>) {
  const limit = quota.toLocaleString("en");
  if (unit === "removal_bytes") {
    return problem(
      c,
      "quota_exceeded",
      `The records of your deletions take ${limit} bytes, all that your quota of files allows. Each is kept for ${inWords(ERASURE_KEPT_FOR_MS)}. Send pings after older ones have expired, or ask us for a higher quota.`,
    );
  }
  return problem(
    c,
    "quota_exceeded",
    unit === "files"
      ? `The partner's quota of ${limit} files is used up. Delete users that you no longer need, or ask us for a higher quota.`
      : `The partner's quota of ${limit} bytes is used up. Delete users that you no longer need, or ask us for a higher quota.`,
  );
}

/** Retry-After of pings while the database is full. An operator has to make room. */
const DATABASE_FULL_RETRY_SECONDS = 600;

/** Rejects pings while the database of the partner is full. Its size is minutes old. */
function databaseFull(c: PingContext) {
  return problem(
    c,
    "database_full",
    "The service cannot store further files now. Its operators have been notified. Nothing was accepted. Send the same request again after the time in `Retry-After`. Reads, tasks and deletions still work.",
    { headers: { "Retry-After": String(DATABASE_FULL_RETRY_SECONDS) } },
  );
}

/** Accepts the valid items of a request and returns the response for all items. */
async function acceptItems(c: PingContext, items: readonly JudgedItem[]) {
  const { partner } = c.var;
  const exceeded = exceededQuota(c.var.usage, partner.quotas);
  if (exceeded !== null) return quotaExceeded(c, exceeded);
  if (c.var.isDatabaseFull) return databaseFull(c);
  const pings = items.flatMap((item) => (item.ok ? [item.ping] : []));
  const limited = spendFiles(c, pings.length);
  if (limited !== null) return limited;
  const accepted =
    c.req.query("dry_run") === "true"
      ? { ok: true as const, outcome: await previewPings(c.env, partner, pings, Date.now()) }
      : await runOnce(c, c.req.header("Idempotency-Key"), {
          userHashes: userHashesOf(partner.partner_id, pings),
          run: async () => ({ ok: true, outcome: await acceptPings(c.env, partner, pings, Date.now()) }),
          serialize: statusLetters,
          rebuild: (letters) => filesFromLetters(partner.partner_id, pings, letters),
        });
  if (!accepted.ok) return accepted.response;
  const files = filesOfItems(partner.partner_id, items, accepted.outcome);
  c.var.logFields.files = pings.length;
  if (isLenient(c)) c.header("Preference-Applied", "handling=lenient");
  return c.json({ accepted: pings.length, files }, 202);
}

/** Handles a request that its schema rejects. With lenient handling, its valid items are accepted. */
async function handleRejected(c: PingContext, { error, data }: SchemaFailure): Promise<Response> {
  const { faults, items } = await judgeRejected(data, error.issues, rulesOf(c));
  return faults.length > 0 ? invalidRequest(c, [...faults, ...itemFaults(items)]) : handleItems(c, items);
}

export const postPings = endpoint(
  route,
  async (c) => handleItems(c, await judgePings(c.req.valid("json").activity_files, rulesOf(c))),
  (result, c) => {
    if (result.success) return undefined;
    return result.target === "json" ? handleRejected(c, result) : invalidRequest(c, faultsIn(result));
  },
);
