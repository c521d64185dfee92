import { z } from "zod";
import { databaseFor } from "../../database/databases.ts";
import { isSigned } from "../../deliveries/sign.ts";
import { readPartner } from "../../partners/registry.ts";
import { grantAccess } from "../../planner/access.ts";
import { readKnownUser } from "../../planner/read.ts";
import { plannerSecret } from "../../planner/secret.ts";
import { readSmallBody } from "../bodyChunks.ts";
import type { Context } from "hono";
import type { AppEnv } from "../context.ts";
import { declaredLength } from "../jsonBody.ts";
import { faultsIn, notFound, problem, validationFailed } from "../problem.ts";

export const PLANNER_TOKEN_PATH = "/planner/token/";
/** Maximum size of the body: two ids. */
const MAX_BODY_BYTES = 4_096;

const requestSchema = z.strictObject({ partner_id: z.string(), user_id: z.string() });

/**
 * Returns a new token with which the planner reads a user. The planner signs the request by Standard Webhooks with the secret
 * that it shares with the service. The route is not part of the partners' contract (src/planner/README.md).
 */
export async function postPlannerToken(c: Context<AppEnv>): Promise<Response> {
  const secret = plannerSecret(c.env);
  if (secret === null)
    return problem(c, "not_found", "No planner is configured. An operator must set `TRAINING_PLAN_SECRET`.");
  const length = declaredLength(c.req.raw);
  if (length === null || length > MAX_BODY_BYTES) {
    return problem(c, "body_too_large", `Send a \`Content-Length\` of at most ${MAX_BODY_BYTES} bytes.`);
  }
  const body = new Uint8Array(await readSmallBody(c.req.raw));
  if (!isSigned(c.req.raw.headers, body, secret, Date.now())) {
    return problem(
      c,
      "unauthorized",
      "The request has no valid signature with the planner's secret, or its timestamp differs too much from the service's time. Sign it as Standard Webhooks specifies.",
    );
  }
  const parsed = requestSchema.safeParse(jsonOf(body));
  if (!parsed.success) return validationFailed(c, faultsIn(parsed));
  const partner = await readPartner(c.env.PARTNERS, parsed.data.partner_id);
  const user =
    partner === null
      ? null
      : await readKnownUser(databaseFor(c.env, partner), partner.partner_id, parsed.data.user_id);
  if (user === null) return notFound(c, "user");
  const access = grantAccess(c.env, parsed.data, user.erasedBefore, Date.now());
  return access === null
    ? problem(c, "not_found", "The service does not know its own address. An operator must set `OWN_HOSTS`.")
    : c.json(access);
}

/** Returns the value of a JSON text. Returns undefined for invalid JSON, which the schema rejects. */
function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}
