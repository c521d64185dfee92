import { guide } from "../../src/docs/guide.ts";

function unescape(html: string): string {
  return html
    .replaceAll("&quot;", '"')
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}

/** The guide's named listings, as a reader would copy them from the page. */
export function listingsOf(): Map<string, string> {
  const html = guide()
    .map((section) => section.html)
    .join("");
  const found = html.matchAll(/<code data-snippet="([^"]+)">([^<]*)<\/code>/g);
  return new Map([...found].map(([, name = "", text = ""]) => [name, unescape(text)]));
}
