import type { Context } from "hono";
import type { AppEnv, Middleware, RequestContext } from "./context.ts";
import { problem } from "./problem.ts";

/** Routes that are no GET and change nothing, so that a key of the scope `read` may use them. */
const READ_ONLY_POSTS: ReadonlySet<string> = new Set(["/api/fit/inspect/"]);

/** Paths of what a partner manages itself. An operator can lock their changes. */
const SELF_SERVICE = /^\/api\/(?:keys|endpoints|partner)\//;

/** Returns whether requests with this method and path only read. Also documents which operations a key of the scope `read` has. */
export function onlyReads(method: string, path: string): boolean {
  return method === "GET" || method === "HEAD" || READ_ONLY_POSTS.has(path);
}

/** Rejects writing requests with a key of the scope `read`, and self-service changes of a partner that an operator has locked. */
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
    "The key has the scope `read`, and this request changes something. Send it with a key of the scope `full`.",
  );
}

export function selfServiceLocked(c: RequestContext) {
  return problem(
    c,
    "self_service_locked",
    "An operator has locked the partner's keys, endpoints and settings. Ask us to make the change, or to end the lock.",
  );
}
