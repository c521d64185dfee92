/** Returns a text as HTML. */
export function escape(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** Returns a text with `backticks` around code as HTML. A code with an entry in `links` becomes a link to that address. */
export function prose(text: string, links: ReadonlyMap<string, string> = new Map()): string {
  return text
    .split(/`([^`]+)`/)
    .map((part, index) => {
      if (index % 2 === 0) return escape(part);
      const target = links.get(part);
      const code = `<code>${escape(part)}</code>`;
      return target === undefined ? code : `<a href="${target}">${code}</a>`;
    })
    .join("");
}

/** Number of characters of a name that fits the narrowest phone in one line. */
const NAME_IN_LINE = 40;

/**
 * Lets long code break between its words, and no name but the longest ones, which break after an underscore: the style
 * keeps code without the class in one line. Code inside listings has no tag.
 */
export function protectNames(html: string): string {
  return html.replaceAll(/<code>([^<]*)<\/code>/g, (whole, text: string) => {
    if (/[ /.,;=[\]]./.test(text)) return breakable(text, /&\w+;|[/.,;=\]]/g);
    return text.length > NAME_IN_LINE ? breakable(text, /_/g) : whole;
  });
}

/** Returns code that can break after the `marks`, but not after an HTML entity. */
function breakable(text: string, marks: RegExp): string {
  const html = text.replaceAll(marks, (mark) => (mark.startsWith("&") ? mark : `${mark}<wbr>`));
  return `<code class="long">${html}</code>`;
}

/** Columns whose cells need their name on narrow screens, where a table has no head. */
const LABELLED = new Set(["Status", "Sent with", "Sent as"]);

/** Returns a table. Its cells are HTML. On narrow screens each row is a block. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  ids?: readonly string[],
): string {
  const cells = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column === 0
          ? `<th scope="row">${cell}</th>`
          : `<td${LABELLED.has(head[column] ?? "") ? ` data-label="${head[column]}"` : ""}>${cell}</td>`,
      )
      .join("");
  const body = rows.map((row, index) => {
    const id = ids?.[index];
    return `<tr${id === undefined ? "" : ` id="${id}"`}>${cells(row)}</tr>`;
  });
  const heads = head.map((name) => `<th scope="col">${escape(name)}</th>`).join("");
  return `<table><thead><tr>${heads}</tr></thead><tbody>${body.join("")}</tbody></table>`;
}
