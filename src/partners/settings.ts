import { z } from "@hono/zod-openapi";
import { usageSchema } from "../usage/usage.ts";

const instant = z.iso.datetime();
const perMinute = z.number().int().nullable().openapi({ description: "Null: no limit." });

const most = z.number().int().nullable().openapi({ description: "Null: no quota." });

/** The settings of a partner, without digests and secrets. */
export const partnerSettingsSchema = z.strictObject({
  partner_id: z.string(),
  name: z.string().nullable(),
  status: z.enum(["active", "suspended"]),
  created_at: instant,
  keys: z.array(z.strictObject({ key_id: z.string(), created_at: instant, expires_at: instant.nullable() })),
  event_url: z.string().nullable(),
  webhook_secrets: z.array(
    z.strictObject({ secret_id: z.string(), created_at: instant, expires_at: instant.nullable() }),
  ),
  callback_hosts: z
    .array(z.string())
    .openapi({ description: "Hosts that callback URLs may name; empty: any public one." }),
  limits: z.strictObject({ requests_per_minute: perMinute, files_per_minute: perMinute }),
  quotas: z.strictObject({ files: most, stored_bytes: most }),
});
export type PartnerSettings = z.infer<typeof partnerSettingsSchema>;

/** The same with what the partner uses, as the partner reads it. */
export const partnerAnswerSchema = z
  .strictObject({ ...partnerSettingsSchema.shape, usage: usageSchema })
  .openapi("PartnerSettings");
export type PartnerAnswer = z.infer<typeof partnerAnswerSchema>;
