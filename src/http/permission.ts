import type { Context } from "hono";
import type { AppEnv, Middleware, RequestContext } from "./context.ts";
import { problem } from "./problem.ts";

/** Paths of POST requests that change nothing. A key with the scope `read` may send them. */
const READ_ONLY_POSTS: ReadonlySet<string> = new Set(["/api/fit/inspect/"]);

/** Paths of the resources that a partner manages itself. An operator can lock changes to them. */
const SELF_SERVICE = /^\/api\/(?:keys|endpoints|partner)\//;

/** Returns whether requests with this method and path only read. The OpenAPI document uses it, too. */
export function onlyReads(method: string, path: string): boolean {
  return method === "GET" || method === "HEAD" || READ_ONLY_POSTS.has(path);
}

/** Rejects writes with a key of the scope `read`, and self-service changes of a partner that an operator has locked. */
export const requirePermission: Middleware = async (c, next) => {
  if (onlyReads(c.req.method, c.req.path)) return next();
  if (c.var.key.scope === "read") return readOnlyKey(c);
  if (c.var.partner.self_service_locked && isSelfService(c)) return selfServiceLocked(c);
  return next();
};

function isSelfService(c: Context<AppEnv>): boolean {
  return SELF_SERVICE.test(c.req.path);
}

function readOnlyKey(c: RequestContext) {
  return problem(
    c,
    "read_only_key",
    "The key has the scope `read`, and this operation requires the scope `full`. Send the request with a key that has it.",
  );
}

export function selfServiceLocked(c: RequestContext) {
  return problem(
    c,
    "self_service_locked",
    "An operator has locked the partner's keys, endpoints and settings. Ask us to make the change, or to unlock them.",
  );
}
