/** Returns a text as HTML. */
export function escape(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** Returns a text with `backticks` around code as HTML. A code with an entry in `links` becomes a link to that id. */
export function prose(text: string, links: ReadonlyMap<string, string> = new Map()): string {
  return text
    .split(/`([^`]+)`/)
    .map((part, index) => {
      if (index % 2 === 0) return escape(part);
      const target = links.get(part);
      const code = `<code>${escape(part)}</code>`;
      return target === undefined ? code : `<a href="#${target}">${code}</a>`;
    })
    .join("");
}

/** Returns a listing that scrolls with the keyboard. Tests find it by `name`. */
export function listing(text: string, label: string, name?: string): string {
  const mark = name === undefined ? "" : ` data-snippet="${name}"`;
  return `<pre tabindex="0" role="region" aria-label="${escape(label)}"><code${mark}>${escape(text.trim())}</code></pre>`;
}

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
          : `<td data-label="${escape(head[column] ?? "")}">${cell}</td>`,
      )
      .join("");
  const body = rows.map((row, index) => {
    const id = ids?.[index];
    return `<tr${id === undefined ? "" : ` id="${id}"`}>${cells(row)}</tr>`;
  });
  const heads = head.map((name) => `<th scope="col">${escape(name)}</th>`).join("");
  return `<table><thead><tr>${heads}</tr></thead><tbody>${body.join("")}</tbody></table>`;
}
