import type { z } from "@hono/zod-openapi";
import type { Env } from "../env.ts";
import { readPartner } from "../partners/registry.ts";
import { baselineSchema } from "../training/baseline.ts";
import { readBaseline } from "../training/read.ts";
import { grantAccess, plannerAccessSchema } from "./access.ts";
import { readPlanBounds } from "./read.ts";
import { chargePlanRows, mayReadRows } from "./rowBudget.ts";
import { storedPlanRequestSchema } from "./storedRequest.pure.ts";

/** Body of a plan request as the planner receives it. */
export const sentPlanRequestSchema = storedPlanRequestSchema.extend({
  data: storedPlanRequestSchema.shape.data.extend({ read: plannerAccessSchema, training: baselineSchema }),
});
export type SentPlanRequest = z.infer<typeof sentPlanRequestSchema>;

/**
 * `erased`: the user was erased after the import. `no_partner`: the partner is not in the registry. `no_access`: the planner's
 * secret is not configured, or the service does not know its own host. `too_many_rows`: the partner's plan requests have read
 * too many rows.
 */
export type BuiltPlanRequest =
  { ok: true; body: string } | { ok: false; reason: "erased" | "no_partner" | "no_access" | "too_many_rows" };

/**
 * Returns the body of a plan request for one attempt: the stored body, with the user's current training baseline and access to the
 * user's data. These two are never stored. Throws a `MemoryShortage`.
 */
export async function buildPlanRequest(
  env: Env,
  db: D1Database,
  storedBody: string,
  nowMs: number,
): Promise<BuiltPlanRequest> {
  const stored = storedPlanRequestSchema.parse(JSON.parse(storedBody));
  const { partner_id, user_id, import_id } = stored.data;
  const partner = await readPartner(env.PARTNERS, partner_id);
  if (partner === null) return { ok: false, reason: "no_partner" };
  if (!mayReadRows(partner_id, nowMs)) return { ok: false, reason: "too_many_rows" };
  const { baseline: training, rowsRead } = await readBaseline(db, partner, user_id, nowMs);
  chargePlanRows(partner_id, rowsRead, nowMs);
  // After the baseline, so that an erasure that began before or during that read is seen.
  const bounds = await readPlanBounds(db, { partner_id, user_id, import_id });
  if (bounds === null || training === null) return { ok: false, reason: "erased" };
  const read = grantAccess(env, { partner_id, user_id }, bounds.erasedBefore, nowMs);
  if (read === null) return { ok: false, reason: "no_access" };
  const sent: SentPlanRequest = { ...stored, data: { ...stored.data, read, training } };
  return { ok: true, body: JSON.stringify(sent) };
}
