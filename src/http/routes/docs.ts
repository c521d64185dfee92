import type { OpenAPIHono } from "@hono/zod-openapi";
import { describe } from "../../docs/document.ts";
import { PAGE_POLICY, renderPage } from "../../docs/page.ts";
import type { AppEnv } from "../context.ts";

/** Paths are routed with a slash at their end, and served with and without it. */
const DOCUMENT_PATH = "/openapi.json/";
const PAGE_PATH = "/docs/";

/** Adds the documentation of the app's routes. Both texts are made at their first request, not at the start. */
export function serveDocs(app: OpenAPIHono<AppEnv>): void {
  const document = once(() => describe(app));
  const json = once(() => JSON.stringify(document()));
  const page = once(() => renderPage(document()));
  app.get(DOCUMENT_PATH, (c) => c.body(json(), 200, { "Content-Type": "application/json" }));
  app.get(PAGE_PATH, (c) =>
    c.html(page(), 200, { "Content-Security-Policy": PAGE_POLICY, "Referrer-Policy": "no-referrer" }),
  );
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | null = null;
  return () => (made ??= { value: make() }).value;
}
