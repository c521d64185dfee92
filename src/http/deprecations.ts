import { matchedRoutes } from "hono/route";
import { DEPRECATIONS, type Deprecation } from "../contract/deprecations.ts";
import type { Middleware } from "./context.ts";

/**
 * Announces deprecated operations in their responses: `Deprecation` (RFC 9745) with the day of the announcement, `Sunset`
 * (RFC 8594) with the day of the removal, and a link to the changelog.
 */
export function announceDeprecations(deprecations: readonly Deprecation[] = DEPRECATIONS): Middleware {
  const byRoute = new Map(
    deprecations.map((each) => [each.operation.replaceAll(/\{(\w+)\}/g, ":$1"), headersOf(each)]),
  );
  return async (c, next) => {
    await next();
    if (byRoute.size === 0) return;
    const path = matchedRoutes(c).findLast(({ method }) => method !== "ALL")?.path;
    const method = c.req.method === "HEAD" ? "GET" : c.req.method;
    for (const [name, value] of byRoute.get(`${method} ${path}`) ?? []) c.res.headers.append(name, value);
  };
}

function headersOf({ since, sunset }: Deprecation): [name: string, value: string][] {
  return [
    ["Deprecation", `@${Date.parse(since) / 1_000}`],
    ["Sunset", new Date(sunset).toUTCString()],
    ["Link", '</docs/changelog/>; rel="deprecation"; type="text/html"'],
  ];
}
