import { createHash } from "node:crypto";
import { PROBLEMS } from "../http/problem.ts";
import type { OpenAPIObject } from "openapi3-ts/oas31";
import { INFO } from "./document.ts";
import { guide } from "./guide.ts";
import { escape } from "./html.ts";
import { reference, type Chapter } from "./reference.ts";
import { STYLE } from "./style.ts";

const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");

/** Content-Security-Policy of the page: only its own style, no scripts, no other hosts. */
export const PAGE_POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** Returns the documentation as one HTML page: the guide, then the reference made from the document. */
export function renderPage(document: OpenAPIObject): string {
  const links = new Map(Object.keys(PROBLEMS).map((code) => [code, `problem-${code}`]));
  const sections = guide();
  const chapters = reference(document, links);
  const { title, summary } = INFO;
  const guideHtml = sections.map(({ id, title, html }) => heading(id, title) + html).join("");
  const referenceHtml = chapters.map(({ id, title, html }) => heading(id, title) + html).join("");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escape(title)}</title><style>${STYLE}</style></head>
<body><a class="skip" href="#content">Skip the contents</a>
<nav aria-label="Contents">
<ul>${sections.map(entryHtml).join("")}</ul>
<ul>${chapters.map(chapterEntry).join("")}</ul>
</nav>
<main id="content"><h1>${escape(title)}</h1>
<p>${escape(summary)} The reference is also available as an <a href="/openapi.json">OpenAPI 3.1 document</a>.</p>
${guideHtml}
${referenceHtml}
</main></body></html>
`;
}

function heading(id: string, title: string): string {
  return `<h2 id="${id}"><a class="anchor" href="#${id}">${escape(title)}</a></h2>`;
}

function entryHtml({ id, title }: { id: string; title: string }): string {
  return `<li><a href="#${id}">${escape(title)}</a></li>`;
}

function chapterEntry({ id, title, entries }: Chapter): string {
  return `<li><details><summary>${escape(title)}</summary><ul>${[{ id, title: "About" }, ...entries].map(entryHtml).join("")}</ul></details></li>`;
}
