import { z } from "@hono/zod-openapi";
import { KEY_SCOPES } from "../contract/keyScopes.ts";
import { MAX_CALLBACK_HOSTS, MAX_ORDERED_SOURCES } from "../contract/limits.ts";
import { nameText } from "../contract/text.ts";
import { usageSchema } from "../usage/usage.ts";

const instant = z.iso.datetime();
const amount = z.number().int().nullable();

/** A secret that signs events, without the secret itself. */
export const webhookSecretSchema = z
  .strictObject({ secret_id: z.string(), created_at: instant, expires_at: instant.nullable() })
  .openapi("WebhookSecret");

export const keyScopeSchema = z.enum(KEY_SCOPES).openapi("KeyScope");

/** A key, without the key itself. */
export const partnerKeySchema = z
  .strictObject({
    key_id: z.string(),
    label: z.string().nullable(),
    scope: keyScopeSchema,
    created_at: instant,
    expires_at: instant.nullable(),
  })
  .openapi("PartnerKey");

/** Rejects a list that contains a value twice. */
function requireUnique(texts: readonly string[], ctx: z.RefinementCtx): void {
  if (new Set(texts).size === texts.length) return;
  const message = "The list contains a value twice. Send each value once.";
  ctx.addIssue({ code: "custom", params: { code: "invalid_value" }, message });
}

/** Settings that the partner and operators can change. */
export const ownSettings = {
  callback_hosts: z
    .array(nameText.transform((host) => host.toLowerCase()))
    .max(MAX_CALLBACK_HOSTS)
    .superRefine(requireUnique),
  source_order: z.array(nameText).max(MAX_ORDERED_SOURCES).superRefine(requireUnique),
  prefetch_held: z.boolean(),
};

/** A partner's settings, without digests and secrets. */
export const partnerSettingsSchema = z.strictObject({
  partner_id: z.string(),
  name: z.string().nullable(),
  status: z.enum(["active", "suspended"]).openapi("PartnerStatus"),
  created_at: instant,
  self_service_locked: z.boolean(),
  keys: z.array(partnerKeySchema),
  event_url: z.string().nullable(),
  webhook_secrets: z.array(webhookSecretSchema),
  callback_hosts: z.array(z.string()),
  source_order: z.array(z.string()),
  prefetch_held: z.boolean(),
  limits: z.strictObject({ requests_per_minute: amount, files_per_minute: amount }).openapi("PartnerLimits"),
  quotas: z.strictObject({ files: amount, stored_bytes: amount }).openapi("PartnerQuotas"),
});
export type PartnerSettings = z.infer<typeof partnerSettingsSchema>;

/** A partner's settings and usage, as the partner reads them. */
export const partnerWithUsageSchema = z
  .strictObject({ ...partnerSettingsSchema.shape, usage: usageSchema })
  .openapi("PartnerSettings");
export type PartnerWithUsage = z.infer<typeof partnerWithUsageSchema>;
