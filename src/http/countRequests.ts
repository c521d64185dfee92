import type { Context } from "hono";
import { wait } from "../concurrency/wait.ts";
import { REQUESTS_STORED_AFTER_MS } from "../contract/limits.ts";
import type { Partner } from "../partners/partner.ts";
import { countRequest, storeRequests } from "../usage/requestCounts.ts";
import type { AppEnv, Middleware } from "./context.ts";

/** Returns the context that keeps an invocation alive after its response. Null in tests that call the app without one. */
function executionOf(c: Context<AppEnv>): Pick<ExecutionContext, "waitUntil"> | null {
  try {
    return c.executionCtx;
  } catch {
    return null;
  }
}

/** Counts the requests of authenticated partners by the class of their status, without a call before the response. */
export const countRequests: Middleware = async (c, next) => {
  await next();
  const partner: Partner | undefined = c.var.partner;
  // Requests of the planner are ours. A suspended partner may be removed before its requests are stored.
  if (partner === undefined || c.var.grant !== undefined || partner.status === "suspended") return;
  const isDue = countRequest(partner, c.res.status, Date.now());
  const { partner_id } = partner;
  if (!isDue) return;
  const store = async () => {
    await wait(REQUESTS_STORED_AFTER_MS);
    await storeRequests(c.env, partner_id).catch(() => undefined);
  };
  executionOf(c)?.waitUntil(store());
};
