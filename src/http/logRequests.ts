import { randomUUID } from "node:crypto";
import { matchedRoutes } from "hono/route";
import { logLine } from "../log.ts";
import type { Middleware } from "./context.ts";

/** Sets the request's id and the headers of every response, and writes the request's log line. */
export const logRequests: Middleware = async (c, next) => {
  const startedAt = Date.now();
  const requestId = randomUUID();
  c.set("requestId", requestId);
  c.set("logFields", {});
  await next();
  c.res.headers.set("X-Request-Id", requestId);
  c.res.headers.set("X-Content-Type-Options", "nosniff");
  if (!c.res.headers.has("Cache-Control")) c.res.headers.set("Cache-Control", "no-store");
  const partner: { partner_id: string } | undefined = c.var.partner;
  logLine({
    unit: "request",
    request_id: requestId,
    method: c.req.method,
    route: matchedRoutes(c).findLast((route) => route.method !== "ALL")?.path ?? null,
    status: c.res.status,
    milliseconds: Date.now() - startedAt,
    partner_id: partner?.partner_id ?? null,
    ...c.var.logFields,
  });
};
