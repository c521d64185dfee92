import { createHash } from "node:crypto";
import { escape, protectNames } from "./html.ts";
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";

const hashOf = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** Content-Security-Policy of the pages: only their own style, script and icon, and requests to this service. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src ${hashOf(STYLE)}`,
  `script-src ${hashOf(SCRIPT)}`,
  "img-src data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** A pulse on a dark tile. */
const ICON = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0f1720"/><path d="M4 18h6l3-9 6 15 3-6h6" fill="none" stroke="#7db7ff" stroke-width="2.5" stroke-linejoin="round" stroke-linecap="round"/></svg>',
)}`;

const SEARCH = `<div class="search" role="search"><input id="search" type="search" placeholder="Search (press /)" aria-label="Search" autocomplete="off" aria-controls="results"><ul id="results" aria-label="Results" hidden></ul><p id="found" class="hidden" role="status"></p></div>`;

export interface Frame {
  title: string;
  description: string;
  /** HTML of the body below the top bar. */
  body: string;
  /** Whether the page has contents and can be searched. */
  hasContents?: boolean;
}

/** Returns a whole page. */
export function framed({ title, description, body, hasContents = false }: Frame): string {
  const contents = hasContents ? '<a class="open-contents" href="#contents">Contents</a>' : "";
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escape(title)}</title><meta name="description" content="${escape(description)}"><link rel="icon" href="${ICON}">
<style>${STYLE}</style><script>${SCRIPT}</script></head>
<body><a class="skip" href="#content">Skip to the content</a>
<header class="top"><a class="brand" href="/">Partner API</a>${contents}<a class="docs" href="/docs/">Docs</a><a class="changelog" href="/docs/changelog/">Changelog</a><a href="/console/">Console</a><a href="/openapi.json">OpenAPI</a>${hasContents ? SEARCH : ""}</header>
${protectNames(body)}
</body></html>
`;
}
