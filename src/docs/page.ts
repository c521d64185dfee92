import type { OpenAPIObject } from "openapi3-ts/oas31";
import { PROBLEMS } from "../http/problem.ts";
import { aside, card } from "./code.ts";
import { INFO } from "./document.ts";
import { framed } from "./frame.ts";
import { guide } from "./guide.ts";
import { escape } from "./html.ts";
import { reference, schemaChapters, type Chapter } from "./reference.ts";
import { NEWEST_IDS } from "./snippets.ts";

/** Returns the guide and the reference made from the document as one HTML page. Schemas are another page, so that both load fast. */
export function renderPage(document: OpenAPIObject): string {
  const links = problemLinks("");
  const sections = guide();
  const chapters = reference(document, links);
  const { title, summary } = INFO;
  const body = `<div class="page"><nav id="contents" aria-label="Contents"><a class="close" href="#content">Close the contents</a>
<h2>Guide</h2><ul>${sections.map((section) => entryHtml({ ...section, title: escape(section.title) })).join("")}</ul>
<h2>Reference</h2><ul>${entryHtml({ id: "ids", title: "Ids in the listings" })}${chapters.map(chapterEntry).join("")}<li><a href="/docs/schemas/">Schemas</a></li></ul>
</nav>
<main id="content"><h1>${escape(title)}</h1>
<p class="lead">${escape(summary)}</p>
<p>The reference is also available as an <a href="/openapi.json">OpenAPI 3.1 document</a>, and the guide as <a href="/docs/guide.md">Markdown</a>.</p>
<h2 class="part" id="guide">Guide</h2>
${sections.map(sectionHtml).join("\n")}
<h2 class="part" id="reference">Reference</h2>
${sectionHtml(IDS)}
${chapters.map(sectionHtml).join("\n")}
</main></div>`;
  return framed({ title: `${title}: documentation`, description: summary, body, hasContents: true });
}

/** Returns the schemas of the document as one HTML page. */
export function renderSchemas(document: OpenAPIObject): string {
  const chapters = schemaChapters(document, problemLinks("/docs/"));
  const body = `<div class="page"><nav id="contents" aria-label="Contents"><a class="close" href="#content">Close the contents</a>
<h2>Schemas</h2><ul>${chapters.map(entryHtml).join("")}</ul></nav>
<main id="content"><h1>Schemas</h1>
<p class="lead">Every object and list of values in requests, responses and events.</p>
<p>A field without a mark is always present in responses, and required in requests. The <a href="/docs/#reference">reference</a> has the operations.</p>
${chapters.map(({ html }) => html).join("\n")}
</main></div>`;
  return framed({
    title: `${INFO.title}: schemas`,
    description: "Schemas of the partner API.",
    body,
    hasContents: true,
  });
}

/** Returns the address that explains each problem, for links on one page. `page` is the guide's address on others. */
function problemLinks(page: string): Map<string, string> {
  return new Map(Object.keys(PROBLEMS).map((code) => [code, `${page}#problem-${code}`]));
}

const IDS = {
  id: "ids",
  title: "Ids in the listings",
  html: `
<p>Each listing runs as shown, with <code>PARTNER_ID</code> and <code>AUTH_KEY</code> in the environment. Listings with an id of a file, activity, import, event, endpoint or key take it from the environment as well.
These commands set the ids of your newest ones. Set <code>KEY_ID</code> yourself, to the id of a key that you do not use.</p>
${aside(card(NEWEST_IDS, "Ids for the shell", "ids"))}
<p>Run the TypeScript listings with Node 22.18 or newer (<code>node listing.ts</code>), or with Node 20 and <code>npx tsx listing.ts</code>. Run the Python listings with Python 3.9 or newer. They need no packages.</p>`,
};

/** Returns a section. Its code stands beside it on wide screens. An article in it places its own code. */
function sectionHtml({ id, title, html }: { id: string; title: string; html: string }): string {
  const kind = html.includes("<article") ? "chapter" : html.includes('class="code"') ? "has-code" : "plain";
  return `<section id="${id}" class="${kind}"><h2><a class="anchor" href="#${id}">${escape(title)}</a></h2>${html}</section>`;
}

function entryHtml({ id, title }: { id: string; title: string }): string {
  return `<li><a href="#${id}">${title}</a></li>`;
}

function chapterEntry({ id, title, entries }: Chapter): string {
  return `<li><details><summary>${escape(title)}</summary><ul>${[{ id, title: "About" }, ...entries].map(entryHtml).join("")}</ul></details></li>`;
}
