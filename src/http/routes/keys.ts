import { createRoute, z } from "@hono/zod-openapi";
import { KEY_ENDS_WITHIN_MS, MAX_EDIT_BODY_BYTES, MAX_KEYS } from "../../contract/limits.ts";
import { nameText } from "../../contract/text.ts";
import { instantOf } from "../../database/rows.ts";
import { newAuthKey, publicKey, unexpired } from "../../partners/partner.ts";
import { newKey, revokeKey } from "../../partners/rotate.ts";
import { keyScopeSchema, partnerKeySchema } from "../../partners/settings.ts";
import { endpoint } from "../context.ts";
import { jsonBody } from "../jsonBody.ts";
import {
  conflictProblem,
  notFound,
  notFoundProblem,
  problem,
  readProblems,
  selfServiceProblem,
  writeProblems,
} from "../problem.ts";
import { instant, noQuery } from "../query.ts";
import { changeOwnPartner, logChange } from "../selfService.ts";

/** Expiry of a key, in Unix milliseconds. */
const end = instant.superRefine((endMs, ctx) => {
  const nowMs = Date.now();
  if (endMs > nowMs && endMs <= nowMs + KEY_ENDS_WITHIN_MS) return;
  const message = `Received a time ${endMs > nowMs ? "too far in the future" : "in the past"}. Send a time between now and ${instantOf(nowMs + KEY_ENDS_WITHIN_MS)}, or omit the field for a key that does not expire.`;
  ctx.addIssue({ code: "custom", params: { code: "invalid_value" }, message });
});

const newKeySchema = z
  .strictObject({
    label: nameText.nullable(),
    scope: keyScopeSchema,
    expires_at: end.nullable(),
  })
  .partial()
  .openapi("NewKey");

const inForceAt = z.iso.datetime();
const createdSchema = z
  .strictObject({ ...partnerKeySchema.shape, auth_key: z.string(), in_force_at: inForceAt })
  .openapi("CreatedKey");

const TOO_MANY = { ok: false, refused: "too_many_keys" } as const;
const LAST = { ok: false, refused: "last_key" } as const;
const UNKNOWN = { ok: false, refused: "not_found" } as const;

const postRoute = createRoute({
  method: "post",
  path: "/api/keys/",
  summary: "Create a key",
  middleware: jsonBody(MAX_EDIT_BODY_BYTES),
  request: {
    query: noQuery,
    body: { required: true, content: { "application/json": { schema: newKeySchema } } },
  },
  responses: {
    201: {
      description: "The key, which is shown only once.",
      content: { "application/json": { schema: createdSchema } },
    },
    ...writeProblems,
    ...selfServiceProblem,
    ...conflictProblem("too_many_keys", "changed_meanwhile"),
  },
});

export const createKey = endpoint(postRoute, async (c) => {
  const { label = null, scope = "full", expires_at = null } = c.req.valid("json");
  const now = new Date();
  const auth_key = newAuthKey();
  const added = newKey(
    auth_key,
    { label, scope, expires_at: expires_at === null ? null : instantOf(expires_at) },
    now,
  );
  const changed = await changeOwnPartner(c, (newest) => {
    const keys = unexpired(newest.keys, now.getTime());
    return keys.length >= MAX_KEYS ? TOO_MANY : { ok: true, partner: { ...newest, keys: [...keys, added] } };
  });
  if (changed.ok) {
    logChange(c, "key_created", added.key_id);
    return c.json({ ...publicKey(added), auth_key, in_force_at: changed.in_force_at }, 201);
  }
  if ("response" in changed) return changed.response;
  return problem(
    c,
    changed.refused,
    `The partner has ${MAX_KEYS} valid keys, which is the maximum. Delete one of them, then send the request again.`,
  );
});

const deleteRoute = createRoute({
  method: "delete",
  path: "/api/keys/{key_id}/",
  summary: "Delete a key",
  request: { params: z.object({ key_id: z.string() }), query: noQuery },
  responses: {
    200: {
      description: "The key was deleted. It is accepted until `in_force_at` at the latest.",
      content: {
        "application/json": {
          schema: z
            .strictObject({ key_id: z.string(), status: z.literal("deleted"), in_force_at: inForceAt })
            .openapi("DeletedKey"),
        },
      },
    },
    ...readProblems,
    ...selfServiceProblem,
    ...notFoundProblem,
    ...conflictProblem("last_key", "changed_meanwhile"),
  },
});

export const deleteKey = endpoint(deleteRoute, async (c) => {
  const { key_id } = c.req.valid("param");
  const now = new Date();
  const changed = await changeOwnPartner(c, (newest) => {
    const partner = revokeKey(newest, key_id, now);
    if (partner === null) return UNKNOWN;
    const isUsable = unexpired(partner.keys, now.getTime()).some(({ scope }) => scope === "full");
    return isUsable ? { ok: true, partner } : LAST;
  });
  if (changed.ok) {
    logChange(c, "key_deleted", key_id);
    return c.json({ key_id, status: "deleted" as const, in_force_at: changed.in_force_at }, 200);
  }
  if ("response" in changed) return changed.response;
  if (changed.refused === "not_found") return notFound(c, "key");
  return problem(
    c,
    changed.refused,
    "No other valid key of the partner has the scope `full`. Create another key, then use it to delete this one.",
  );
});
