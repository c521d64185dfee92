import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Fault } from "../../fault.ts";
import { fileId, userHash } from "../../identifiers.ts";
import { addressRules } from "../../outbound/rules.ts";
import { acceptPings, previewPings, type AcceptedFile } from "../../pings/acceptPings.ts";
import { pingRequestSchema, pingSchema, readCallbacks, type ValidPing } from "../../pings/ping.ts";
import { nameText, userIdText } from "../../text.ts";
import { endpoint, type AppEnv } from "../context.ts";
import { idempotencyKey, once } from "../idempotency.ts";
import { jsonBody } from "../jsonBody.ts";
import { dryRunQuery } from "../pages.ts";
import { preference } from "../prefer.ts";
import {
  conflictProblem,
  faultsIn,
  keyReusedProblem,
  refusal,
  refuseInvalid,
  writeProblems,
  type Refused,
} from "../problem.ts";
import { faultSchema } from "../problemSchema.ts";
import { spendFiles } from "../rateLimit.ts";

/** 5,000 pings with long signed URLs, or one 8 MiB file in base64 with room for others. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

const takenSchema = z.strictObject({
  file_id: z.string(),
  user_id: z.string(),
  source: z.string(),
  summary_id: z.string(),
  status: z.enum(["queued", "held", "duplicate"]),
});

/** Names that break the contract are not echoed, and without all three of them there is no file. */
const rejectedSchema = z.strictObject({
  file_id: z.string().nullable(),
  user_id: z.string().nullable(),
  source: z.string().nullable(),
  summary_id: z.string().nullable(),
  status: z.literal("rejected"),
  errors: z.array(faultSchema),
});
type RejectedFile = z.infer<typeof rejectedSchema>;

const acceptedSchema = z
  .strictObject({
    accepted: z.number().int().openapi({ description: "All that are not `rejected`." }),
    files: z
      .array(z.discriminatedUnion("status", [takenSchema, rejectedSchema]))
      .openapi({ description: "In the request's order." }),
  })
  .openapi("AcceptedPings");

const route = createRoute({
  method: "post",
  path: "/api/fit_partner_ping/",
  summary: "Announce FIT files, or bring them along",
  middleware: jsonBody(MAX_BODY_BYTES),
  request: {
    query: dryRunQuery,
    headers: z.object({
      "Idempotency-Key": idempotencyKey,
      Prefer: z
        .string()
        .optional()
        .openapi({
          param: {
            description:
              "`handling=lenient` (RFC 7240): take the good items and answer the bad ones as `rejected`.",
          },
          example: "handling=lenient",
        }),
    }),
    body: { required: true, content: { "application/json": { schema: pingRequestSchema } } },
  },
  responses: {
    202: {
      description: "Taken: each file will end as imported, or as failed with a reason.",
      headers: {
        "Preference-Applied": { description: "`handling=lenient`, if it was.", schema: { type: "string" } },
      },
      content: { "application/json": { schema: acceptedSchema } },
    },
    ...writeProblems,
    ...conflictProblem("idempotency_in_flight"),
    ...keyReusedProblem,
  },
});

type Asked = Context<AppEnv>;

function isLenient(c: Asked): boolean {
  return preference(c.req.header("Prefer"), "handling") === "lenient";
}

const anyItems = z.object({ activity_files: z.array(z.unknown()) });
const anyItem = z.record(z.string(), z.unknown());

/** A field of an item that may be anything. */
function fieldOf(item: unknown, field: string): unknown {
  return anyItem.safeParse(item).data?.[field];
}

/** The callback_url of each item of a body that the schema refused, as far as there is one. */
function callbackUrlsIn(items: readonly unknown[]): (string | null)[] {
  return items.map((item) => {
    const found = fieldOf(item, "callback_url");
    return typeof found === "string" ? found : null;
  });
}

/** Which item a fault is about; null when it is about the request. */
function itemOf(fault: Fault): number | null {
  const [, list, place] = fault.pointer.split("/");
  return list === "activity_files" && place !== undefined ? Number(place) : null;
}

/** An item of a request whose faults are known. */
type JudgedItem = { ok: true; ping: ValidPing } | { ok: false; item: unknown; errors: Fault[] };

function rejected(partnerId: string, item: unknown, errors: Fault[]): RejectedFile {
  const userId = userIdText.safeParse(fieldOf(item, "user_id")).data ?? null;
  const source = nameText.safeParse(fieldOf(item, "source")).data ?? null;
  const summaryId = nameText.safeParse(fieldOf(item, "summary_id")).data ?? null;
  const named = userId !== null && source !== null && summaryId !== null;
  return {
    file_id: named ? fileId({ partnerId, userId, source, summaryId }) : null,
    user_id: userId,
    source,
    summary_id: summaryId,
    status: "rejected",
    errors,
  };
}

/** One letter a file is all that must be kept to answer the same request again. */
const LETTERS = { queued: "q", held: "h", duplicate: "d" } as const;
const STATUSES = new Map(Object.entries({ q: "queued", h: "held", d: "duplicate" } as const));

function rebuilt(partnerId: string, pings: readonly ValidPing[], letters: string): AcceptedFile[] {
  return pings.map(({ user_id, source, summary_id }, index) => ({
    file_id: fileId({ partnerId, userId: user_id, source, summaryId: summary_id }),
    user_id,
    source,
    summary_id,
    status: STATUSES.get(letters.charAt(index)) ?? "duplicate",
  }));
}

function userHashesOf(partnerId: string, pings: readonly ValidPing[]): string[] {
  const userIds = new Set(pings.map((ping) => ping.user_id));
  return [...userIds].map((userId) => userHash(partnerId, userId));
}

/** Takes the good items of a request and answers for all of them. */
async function takePings(c: Asked, items: readonly JudgedItem[]) {
  const { partner } = c.var;
  const pings = items.flatMap((item) => (item.ok ? [item.ping] : []));
  const refused = spendFiles(c, pings.length);
  if (refused !== null) return refused;
  const dryRun = c.req.query("dry_run") === "true";
  const taken = dryRun
    ? { ok: true as const, outcome: await previewPings(c.env, partner, pings, Date.now()) }
    : await once(c, c.req.header("Idempotency-Key"), {
        userHashes: userHashesOf(partner.partner_id, pings),
        run: async () => acceptPings(c.env, partner, pings, Date.now()),
        keep: (files) => files.map((file) => LETTERS[file.status]).join(""),
        rebuild: (letters) => rebuilt(partner.partner_id, pings, letters),
      });
  if (!taken.ok) return taken.refusal;
  const accepted = taken.outcome.values();
  const files = items.flatMap((item) =>
    item.ok ? (accepted.next().value ?? []) : rejected(partner.partner_id, item.item, item.errors),
  );
  c.var.noted["files"] = pings.length;
  if (isLenient(c)) c.header("Preference-Applied", "handling=lenient");
  return c.json({ accepted: pings.length, files }, 202);
}

/** The schema does not look into callback URLs: what is wrong there is told together with the rest. */
async function answerInvalid(c: Asked, result: Refused): Promise<Response> {
  const faults = faultsIn(result);
  const items = anyItems.safeParse(result.data).data?.activity_files ?? [];
  if (faults.some((fault) => fault.code === "too_many_items")) return refuseInvalid(c, faults);
  const callbacks = await readCallbacks(
    callbackUrlsIn(items),
    addressRules(c.env, c.var.partner.callback_hosts),
  );
  const all = [...faults, ...callbacks.faults];
  if (!isLenient(c) || all.some((fault) => itemOf(fault) === null)) {
    return refusal(
      c,
      all.toSorted((a, b) => (itemOf(a) ?? -1) - (itemOf(b) ?? -1)),
    );
  }
  const byItem = Map.groupBy(all, itemOf);
  const judged = items.map((item, index): JudgedItem => {
    const errors = byItem.get(index);
    return errors === undefined
      ? { ok: true, ping: { ...pingSchema.parse(item), inline: callbacks.inline[index] ?? null } }
      : { ok: false, item, errors };
  });
  return takePings(c, judged);
}

export const postPings = endpoint(
  route,
  async (c) => {
    const pings = c.req.valid("json").activity_files;
    const { inline, faults } = await readCallbacks(
      pings.map((ping) => ping.callback_url),
      addressRules(c.env, c.var.partner.callback_hosts),
    );
    if (faults.length > 0 && !isLenient(c)) return refusal(c, faults);
    const byItem = Map.groupBy(faults, itemOf);
    return takePings(
      c,
      pings.map((ping, index): JudgedItem => {
        const errors = byItem.get(index);
        return errors === undefined
          ? { ok: true, ping: { ...ping, inline: inline[index] ?? null } }
          : { ok: false, item: ping, errors };
      }),
    );
  },
  (result, c) => {
    if (result.success) return undefined;
    return result.target === "json" ? answerInvalid(c, result) : refuseInvalid(c, faultsIn(result));
  },
);
