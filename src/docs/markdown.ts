import { API_VERSION } from "../contract/version.ts";
import { INFO } from "./document.ts";
import { guide } from "./guide.ts";
import { ORIGIN } from "./requests.ts";

const FENCES: Readonly<Record<string, string>> = { curl: "sh", typescript: "ts", python: "python" };

/** Returns the guide as Markdown. Links lead to the HTML page. */
export function guideAsMarkdown(): string {
  const sections = guide().map(({ title, html }) => `## ${title}\n\n${toMarkdown(html)}\n`);
  return `# ${INFO.title} ${API_VERSION}: guide\n\n${INFO.summary} The reference is at ${ORIGIN}/docs/reference.md, and an OpenAPI document at ${ORIGIN}/openapi.json.\n\n${sections.join("\n")}`;
}

/** Returns the index for language models (llmstxt.org). */
export function llmsIndex(): string {
  return `# ${INFO.title}

> ${INFO.summary} Partners announce FIT files with pings. The service downloads, stores and decodes them into activities.

## Documentation

- [Guide](${ORIGIN}/docs/guide.md): how to send files, import histories, receive webhooks and handle errors, with listings in curl, TypeScript and Python
- [Reference](${ORIGIN}/docs/reference.md): every operation with its parameters, body, responses and an example, every event, and the fields of every schema
- [OpenAPI document](${ORIGIN}/openapi.json): every operation, field, limit and error
- [Changelog](${ORIGIN}/docs/changelog/): changes by version, and deprecated operations

## Optional

- [Documentation as a page](${ORIGIN}/docs/): the guide and the reference for people
- [Console](${ORIGIN}/console/): imports, files, activities and events of a partner
`;
}

/** Returns the HTML of a section as Markdown. It knows the tags that the guide uses. */
export function toMarkdown(html: string): string {
  const withoutBars = html.replaceAll(/<div class="bar">.*?<\/div>/g, "").replaceAll(/<\/?div[^>]*>/g, "");
  const text = withoutBars
    .replaceAll(/<pre([^>]*)>([\s\S]*?)<\/pre>/g, (_, marks: string, code: string) => fenced(marks, code))
    .replaceAll(/<table>([\s\S]*?)<\/table>/g, (_, rows: string) => `\n\n${pipeTable(rows)}\n\n`)
    .replaceAll(
      /<h([34])[^>]*>(.*?)<\/h\1>/g,
      (_, level: string, title: string) => `\n\n${"#".repeat(Number(level))} ${title}\n\n`,
    )
    .replaceAll(
      /<(ul|ol)>([\s\S]*?)<\/\1>/g,
      (_, kind: string, items: string) => `\n\n${list(kind, items)}\n\n`,
    )
    .replaceAll(/<p>([\s\S]*?)<\/p>/g, (_, words: string) => `\n\n${inline(words)}\n\n`);
  return unescaped(inlineTags(text))
    .replaceAll(/\n{3,}/g, "\n\n")
    .trim();
}

function fenced(marks: string, code: string): string {
  const language = FENCES[/class="(\w+)"/.exec(marks)?.[1] ?? ""] ?? (code.startsWith("{") ? "json" : "sh");
  return `\n\n\`\`\`${language}\n${code}\n\`\`\`\n\n`;
}

function pipeTable(rows: string): string {
  const lines = [...rows.matchAll(/<tr[^>]*>([\s\S]*?)<\/tr>/g)].map(([, row = ""]) =>
    [...row.matchAll(/<t[hd][^>]*>([\s\S]*?)<\/t[hd]>/g)].map(([, cell = ""]) =>
      inline(cell).replaceAll("|", "\\|"),
    ),
  );
  const [head = [], ...body] = lines;
  return [head, head.map(() => "---"), ...body].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function list(kind: string, items: string): string {
  return [...items.matchAll(/<li>([\s\S]*?)<\/li>/g)]
    .map(([, item = ""], index) => {
      const marker = kind === "ol" ? `${index + 1}. ` : "- ";
      const blocks = item.includes("<p>")
        ? item.replaceAll(/<p>([\s\S]*?)<\/p>/g, (_, words: string) => `\n\n${inline(words)}\n\n`)
        : inline(item);
      const lines = blocks
        .trim()
        .replaceAll(/\n{3,}/g, "\n\n")
        .split("\n");
      return (
        marker +
        lines
          .map((line, at) => (at === 0 || line === "" ? line : " ".repeat(marker.length) + line))
          .join("\n")
      );
    })
    .join("\n");
}

/** Returns text in one line. */
function inline(html: string): string {
  return html.includes("```") ? html : html.replaceAll(/\s+/g, " ").trim();
}

function inlineTags(text: string): string {
  return text
    .replaceAll(/<code[^>]*>(.*?)<\/code>/g, (_, code: string) => `\`${code.replaceAll(/<\/?em>/g, "")}\``)
    .replaceAll(/<sup>(.*?)<\/sup>/g, "^($1)")
    .replaceAll(/<\/?strong>/g, "**")
    .replaceAll(/<\/?em>/g, "*")
    .replaceAll(
      /<a href="([^"]*)">([\s\S]*?)<\/a>/g,
      (_, to: string, words: string) => `[${words}](${ORIGIN}${to.startsWith("#") ? "/docs/" : ""}${to})`,
    );
}

function unescaped(text: string): string {
  return text
    .replaceAll("&quot;", '"')
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}
