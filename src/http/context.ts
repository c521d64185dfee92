import type { RouteConfig, RouteHandler, RouteHook } from "@hono/zod-openapi";
import type { Context, MiddlewareHandler } from "hono";
import type { Env } from "../env.ts";
import type { Partner } from "../partners/partner.ts";
import type { Quota } from "./tokenBucket.ts";

export interface AppEnv {
  Bindings: Env;
  Variables: {
    requestId: string;
    /** Set once the caller has shown a live key; every route under /api/ has it. */
    partner: Partner;
    /** How the partner's rate limits stand that this request has counted against. */
    quotas: Map<string, Quota>;
    /** What the request's log line says beyond the usual: ids, counts, and the kind of a fault. */
    logFields: Record<string, string | number>;
  };
}

/** Enough of a request to answer it, whatever its route. */
export type RequestContext = Pick<Context<AppEnv>, "json" | "var" | "env">;

export type Middleware = MiddlewareHandler<AppEnv>;

/** A route, what answers it, and what answers a request that breaks its schemas where the usual refusal will not do. */
export function endpoint<R extends RouteConfig>(
  route: R,
  handler: RouteHandler<R, AppEnv>,
  hook?: RouteHook<R, AppEnv>,
) {
  return { route, handler, hook };
}
