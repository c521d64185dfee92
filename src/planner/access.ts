import { z } from "@hono/zod-openapi";
import type { Env } from "../env.ts";
import { addressRules } from "../outbound/rules.ts";
import { plannerSecret } from "./secret.ts";
import { newToken, TOKEN_LIFETIME_MS } from "./token.ts";

/** The planner's access to one user's files, activities, streams, R-R intervals and baseline. */
export const plannerAccessSchema = z.strictObject({
  /** The service's address, without a trailing slash. */
  base_url: z.string(),
  /** A Bearer token. It reads exactly this user of this partner. */
  token: z.string(),
  expires_at: z.iso.datetime(),
});
export type PlannerAccess = z.infer<typeof plannerAccessSchema>;

/** Returns the address of this service. Null while it does not know its own host. */
function ownAddress(env: Pick<Env, "ENVIRONMENT" | "OWN_HOSTS">): string | null {
  const { local, ownHosts } = addressRules(env, []);
  const [host] = ownHosts;
  return host === undefined ? null : `${local ? "http" : "https"}://${host}`;
}

/**
 * Returns access to a user for a day. `erasedBefore` is the bound of the user's last erasure; a later erasure ends the token.
 * Null if the planner's secret is not configured, or while the service does not know its own host.
 */
export function grantAccess(
  env: Env,
  user: { partner_id: string; user_id: string },
  erasedBefore: number,
  nowMs: number,
): PlannerAccess | null {
  const secret = plannerSecret(env);
  const base_url = ownAddress(env);
  if (secret === null || base_url === null) return null;
  const expires_at = nowMs + TOKEN_LIFETIME_MS;
  const { partner_id, user_id } = user;
  const token = newToken(secret, { partner_id, user_id, erased_before: erasedBefore, expires_at });
  return { base_url, token, expires_at: new Date(expires_at).toISOString() };
}
