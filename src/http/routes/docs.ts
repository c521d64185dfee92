import type { OpenAPIHono } from "@hono/zod-openapi";
import { describe } from "../../docs/document.ts";
import { PAGE_POLICY, renderPage } from "../../docs/page.ts";
import type { AppEnv } from "../context.ts";

/** The router adds a slash to the end of every path, so both paths are also served without it. */
const DOCUMENT_PATH = "/openapi.json/";
const PAGE_PATH = "/docs/";

/** Adds routes for the documentation of the app's routes. Each document is rendered at its first request. */
export function serveDocs(app: OpenAPIHono<AppEnv>): void {
  const document = lazy(() => describe(app));
  const json = lazy(() => JSON.stringify(document()));
  const page = lazy(() => renderPage(document()));
  app.get(DOCUMENT_PATH, (c) => c.body(json(), 200, { "Content-Type": "application/json" }));
  app.get(PAGE_PATH, (c) =>
    c.html(page(), 200, { "Content-Security-Policy": PAGE_POLICY, "Referrer-Policy": "no-referrer" }),
  );
}

function lazy<T>(make: () => T): () => T {
  let made: { value: T } | null = null;
  return () => (made ??= { value: make() }).value;
}
