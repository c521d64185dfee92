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
  const cards = html.split('<div class="card').slice(1);
  return new Map(
    cards.flatMap((card) => {
      const name = /^[^>]* data-snippet="([^"]+)">/.exec(card)?.[1];
      if (name === undefined) return [];
      return [...card.matchAll(/<pre([^>]*)>([^<]*)<\/pre>/g)].map(
        ([, marks = "", text = ""]): [string, string] => {
          const language = /class="(\w+)"/.exec(marks)?.[1];
          return [language === undefined ? name : `${name}.${language}`, unescape(text)];
        },
      );
    }),
  );
}
