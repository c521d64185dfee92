import type { RouteConfig, RouteHandler, RouteHook } from "@hono/zod-openapi";
import type { Context, MiddlewareHandler } from "hono";
import type { Env } from "../env.ts";
import type { RequestFields } from "../log.ts";
import type { Partner } from "../partners/partner.ts";
import type { Usage } from "../usage/usage.ts";
import type { Quota } from "./tokenBucket.pure.ts";

export interface AppEnv {
  Bindings: Env;
  Variables: {
    requestId: string;
    /** The authenticated partner; set on every route under /api/. */
    partner: Partner;
    /** What the partner uses, as it was published last. */
    usage: Usage;
    /** State of each rate limit that this request counts against. */
    quotas: Map<string, Quota>;
    /** Fields that the handling of the request adds to its log line. */
    logFields: RequestFields;
  };
}

/** The parts of a request's context that answers of all routes need. */
export type RequestContext = Pick<Context<AppEnv>, "json" | "var" | "env">;

export type Middleware = MiddlewareHandler<AppEnv>;

/** A route, its handler, and a hook that answers requests that its schemas reject, if the default does not fit. */
export function endpoint<R extends RouteConfig>(
  route: R,
  handler: RouteHandler<R, AppEnv>,
  hook?: RouteHook<R, AppEnv>,
) {
  return { route, handler, hook };
}
