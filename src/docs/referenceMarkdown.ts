import type { OpenAPIObject } from "openapi3-ts/oas31";
import { API_VERSION } from "../contract/version.ts";
import { INFO } from "./document.ts";
import { toMarkdown } from "./markdown.ts";
import { reference, schemaChapters } from "./reference.ts";
import { ORIGIN } from "./requests.ts";

/** Returns the operations, events and schemas of the document as Markdown. Listings are for curl only. */
export function referenceAsMarkdown(document: OpenAPIObject): string {
  const chapters = reference(document, new Map()).map(
    ({ title, html }) => `## ${title}\n\n${toMarkdown(plain(html))}\n`,
  );
  const schemas = schemaChapters(document, new Map()).map(({ html }) => toMarkdown(plain(html)));
  return `# ${INFO.title} ${API_VERSION}: reference

Every operation and event, then every schema with its fields. A field without a mark is always present in responses, and required in requests. The guide is at ${ORIGIN}/docs/guide.md.

${chapters.join("\n")}
## Schemas

${schemas.join("\n\n")}
`;
}

/** Returns HTML of the reference with only the tags that the guide uses, without links and with listings for curl only. */
function plain(html: string): string {
  return html
    .replaceAll(/<pre[^>]*class="(?:typescript|python)"[^>]*>[^<]*<\/pre>/g, "")
    .replaceAll(/<a [^>]*href="\/docs\/schemas\/#[^"]*">(\w+)<\/a>/g, "<code>$1</code>")
    .replaceAll(/<\/?a\b[^>]*>/g, "")
    .replaceAll(/<div class="bar"><span>([^<]*)<\/span>.*?<\/div>/g, "<p>$1:</p>")
    .replaceAll(/<\/?(?:article|span|wbr)\b[^>]*>/g, "")
    .replaceAll(/<(ul|p) [^>]*>/g, "<$1>")
    .replaceAll(/<(\/?)h2>/g, "<$1h3>")
    .replaceAll(/<li>(?:(?!<\/li>).)*<\/li>/g, (item) =>
      item.replace("</div><p>", ": ").replace("</p></li>", "</li>"),
    );
}
