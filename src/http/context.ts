import type { RouteConfig, RouteHandler, RouteHook } from "@hono/zod-openapi";
import type { Context, MiddlewareHandler } from "hono";
import type { Env } from "../env.ts";
import type { RequestFields } from "../log.ts";
import type { Key, Partner } from "../partners/partner.ts";
import type { PlannerGrant } from "../planner/token.ts";
import type { Usage } from "../usage/usage.ts";
import type { Quota } from "../concurrency/tokenBucket.pure.ts";

export interface AppEnv {
  Bindings: Env;
  Variables: {
    requestId: string;
    /** The authenticated partner. Set on every route under /api/. */
    partner: Partner;
    /** The key of the request. Not set for a planner token, which changes nothing. */
    key: Key;
    /** The partner's usage as last published to KV. May be minutes old. */
    usage: Usage;
    /** Whether the partner's database is full, as last published to KV. */
    isDatabaseFull: boolean;
    /** What the request's planner token permits. Undefined for a partner's key. */
    grant: PlannerGrant | undefined;
    /** State of each rate limit that this request counts against, by policy. */
    quotas: Map<string, Quota>;
    /** Fields that handlers add to the request's log line. */
    logFields: RequestFields;
  };
}

/** The parts of a request's context that every response needs. */
export type RequestContext = Pick<Context<AppEnv>, "json" | "var" | "env">;

export type Middleware = MiddlewareHandler<AppEnv>;

/** Returns a route with its handler. `hook` replaces the default response to a request that the route's schemas reject. */
export function endpoint<R extends RouteConfig>(
  route: R,
  handler: RouteHandler<R, AppEnv>,
  hook?: RouteHook<R, AppEnv>,
) {
  return { route, handler, hook };
}
