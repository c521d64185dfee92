import { createHash } from "node:crypto";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { renderChangelog } from "../../docs/changelog.ts";
import { describe } from "../../docs/document.ts";
import { PAGE_POLICY } from "../../docs/frame.ts";
import { renderFrontPage } from "../../docs/frontPage.ts";
import { guideAsMarkdown, llmsIndex } from "../../docs/markdown.ts";
import { renderPage, renderSchemas } from "../../docs/page.ts";
import { referenceAsMarkdown } from "../../docs/referenceMarkdown.ts";
import { ORIGIN } from "../../docs/requests.ts";
import type { AppEnv } from "../context.ts";

/** The router adds a slash to the end of every path, so each path is also served without it. */
const PATHS = {
  front: "/",
  docs: "/docs/",
  schemas: "/docs/schemas/",
  changelog: "/docs/changelog/",
  guide: "/docs/guide.md/",
  reference: "/docs/reference.md/",
  llms: "/llms.txt/",
  openapi: "/openapi.json/",
} as const;

const HTML = {
  "Content-Type": "text/html; charset=UTF-8",
  "Content-Security-Policy": PAGE_POLICY,
  "Referrer-Policy": "no-referrer",
};
const MARKDOWN = { "Content-Type": "text/markdown; charset=UTF-8" };
const TEXT = { "Content-Type": "text/plain; charset=UTF-8" };
const JSON_TYPE = { "Content-Type": "application/json" };

/** Adds routes for the documentation of the app's routes, and the page at `/`. */
export function serveDocs(app: OpenAPIHono<AppEnv>): void {
  const document = lazy(() => describe(app));
  app.get(PATHS.front, serve(HTML, renderFrontPage));
  app.get(
    PATHS.docs,
    serve(HTML, () => renderPage(document())),
  );
  app.get(
    PATHS.schemas,
    serve(HTML, () => renderSchemas(document())),
  );
  app.get(PATHS.changelog, serve(HTML, renderChangelog));
  app.get(PATHS.guide, serve(MARKDOWN, guideAsMarkdown));
  app.get(
    PATHS.reference,
    serve(MARKDOWN, () => referenceAsMarkdown(document())),
  );
  app.get(PATHS.llms, serve(TEXT, llmsIndex));
  app.get(
    PATHS.openapi,
    serve(JSON_TYPE, () => JSON.stringify(document())),
  );
}

/**
 * Returns a handler that renders a text at its first request and shows the address at which it was requested. Browsers keep the
 * text, and ask with its tag whether it has changed.
 */
function serve(
  headers: Readonly<Record<string, string>>,
  render: () => string,
): (c: Context<AppEnv>) => Response {
  const text = lazy(render);
  let last: { origin: string; body: string; tag: string } | null = null;
  return (c) => {
    const { origin } = new URL(c.req.url);
    if (last?.origin !== origin) {
      const body = text().replaceAll(ORIGIN, origin);
      last = { origin, body, tag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"` };
    }
    const { body, tag } = last;
    const cached = { ...headers, ETag: tag, "Cache-Control": "no-cache" };
    // A proxy that compresses the response marks its tag as weak.
    const known = (c.req.header("If-None-Match") ?? "")
      .split(",")
      .map((each) => each.trim().replace(/^W\//, ""));
    return known.includes(tag) ? c.body(null, 304, cached) : c.body(body, 200, cached);
  };
}

function lazy<T>(make: () => T): () => T {
  let made: { value: T } | null = null;
  return () => (made ??= { value: make() }).value;
}
