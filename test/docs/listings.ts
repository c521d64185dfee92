/** Returns the text of HTML that has no tags. */
export function unescape(html: string): string {
  return html
    .replaceAll("&quot;", '"')
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}

/** Returns the named listings of a page, as its reader would copy them. */
export function listingsIn(html: string): Map<string, string> {
  const found = html.matchAll(/<pre[^>]* data-snippet="([^"]+)">([^<]*)<\/pre>/g);
  return new Map([...found].map(([, name = "", text = ""]) => [name, unescape(text)]));
}
