import type { OpenAPIHono } from "@hono/zod-openapi";
import { describe } from "../../docs/document.ts";
import { PAGE_POLICY, renderPage } from "../../docs/page.ts";
import type { AppEnv } from "../context.ts";

/** Served with and without the slash that every path has when it is routed. */
const DOCUMENT_PATH = "/openapi.json/";
const PAGE_PATH = "/docs/";

/** Lets the app tell what it is. Both texts are made when they are first asked for: starting costs nothing. */
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
