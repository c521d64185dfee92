import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { addressRules } from "../../outbound/rules.ts";
import { acceptedPingsSchema, filesFromLetters, statusLetters } from "../../pings/acceptedPings.ts";
import { acceptPings, previewPings } from "../../pings/acceptPings.ts";
import {
  filesOfItems,
  itemFaults,
  judgePings,
  judgeRefused,
  type JudgedItem,
} from "../../pings/judgeItems.ts";
import { pingRequestSchema, userHashesOf } from "../../pings/ping.ts";
import { usedUp } from "../../usage/usage.ts";
import { endpoint, type AppEnv } from "../context.ts";
import { idempotencyKey, runOnce } from "../idempotency.ts";
import { jsonBody } from "../jsonBody.ts";
import { handlingPreference, prefersLenient } from "../prefer.pure.ts";
import {
  conflictProblem,
  faultsIn,
  keyReusedProblem,
  problem,
  quotaProblem,
  refusal,
  refuseInvalid,
  tooManyUsersProblem,
  writeProblems,
  type Refused,
} from "../problem.ts";
import { dryRunQuery } from "../query.ts";
import { spendFiles } from "../rateLimit.ts";

/** 5,000 pings with long signed URLs, or one 8 MiB file in base64 with room for others. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

const route = createRoute({
  method: "post",
  path: "/api/fit_partner_ping/",
  summary: "Announce FIT files, or bring them along",
  middleware: jsonBody(MAX_BODY_BYTES),
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
      description: "Taken: each file will end as imported, or as failed with a reason.",
      headers: {
        "Preference-Applied": { description: "`handling=lenient`, if it was.", schema: { type: "string" } },
      },
      content: { "application/json": { schema: acceptedPingsSchema } },
    },
    ...writeProblems,
    ...tooManyUsersProblem,
    ...quotaProblem,
    ...conflictProblem("idempotency_in_flight"),
    ...keyReusedProblem,
  },
});

type PingContext = Context<AppEnv>;

const isLenient = (c: PingContext) => prefersLenient(c.req.header("Prefer"));

const rulesOf = (c: PingContext) => addressRules(c.env, c.var.partner.callback_hosts);

/** Rejects the whole request if it has faults and the partner did not ask for lenient handling. */
async function answerItems(c: PingContext, items: readonly JudgedItem[]) {
  const faults = itemFaults(items);
  return faults.length > 0 && !isLenient(c) ? refusal(c, faults) : acceptItems(c, items);
}

/** Refuses pings of a partner that keeps all that it may. Overshoot of some minutes is possible, and does no harm. */
function quotaExceeded(c: PingContext, { of, quota }: NonNullable<ReturnType<typeof usedUp>>) {
  const most = quota.toLocaleString("en");
  return problem(
    c,
    "quota_exceeded",
    of === "files" ? `You may keep ${most} files, and do.` : `Your files may take ${most} bytes, and do.`,
  );
}

/** Accepts the good items of a request and returns the answer for all of them. */
async function acceptItems(c: PingContext, items: readonly JudgedItem[]) {
  const { partner } = c.var;
  const full = usedUp(c.var.usage, partner.quotas);
  if (full !== null) return quotaExceeded(c, full);
  const pings = items.flatMap((item) => (item.ok ? [item.ping] : []));
  const limited = spendFiles(c, pings.length);
  if (limited !== null) return limited;
  const accepted =
    c.req.query("dry_run") === "true"
      ? { ok: true as const, outcome: await previewPings(c.env, partner, pings, Date.now()) }
      : await runOnce(c, c.req.header("Idempotency-Key"), {
          userHashes: userHashesOf(partner.partner_id, pings),
          run: async () => ({ ok: true, outcome: await acceptPings(c.env, partner, pings, Date.now()) }),
          keep: statusLetters,
          rebuild: (letters) => filesFromLetters(partner.partner_id, pings, letters),
        });
  if (!accepted.ok) return accepted.refusal;
  const files = filesOfItems(partner.partner_id, items, accepted.outcome);
  c.var.logFields.files = pings.length;
  if (isLenient(c)) c.header("Preference-Applied", "handling=lenient");
  return c.json({ accepted: pings.length, files }, 202);
}

/** Answers a body that its schema refused; with lenient handling, its good items are accepted. */
async function answerRefused(c: PingContext, { error, data }: Refused): Promise<Response> {
  const { faults, items } = await judgeRefused(data, error.issues, rulesOf(c));
  return faults.length > 0 ? refuseInvalid(c, [...faults, ...itemFaults(items)]) : answerItems(c, items);
}

export const postPings = endpoint(
  route,
  async (c) => answerItems(c, await judgePings(c.req.valid("json").activity_files, rulesOf(c))),
  (result, c) => {
    if (result.success) return undefined;
    return result.target === "json" ? answerRefused(c, result) : refuseInvalid(c, faultsIn(result));
  },
);
