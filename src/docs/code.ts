import { escape } from "./html.ts";
import { LANGUAGES, listingsFor, type Language, type Listings, type ShownRequest } from "./requests.ts";

const TAB_NAMES: Readonly<Record<Language, string>> = {
  curl: "curl",
  typescript: "TypeScript",
  python: "Python",
};

/** Returns formatted JSON with lists of numbers in one line. */
export function jsonOf(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  return text.replaceAll(/\[[\d\s,.]+\]/g, (numbers) => numbers.replaceAll(/\s+/g, " "));
}

/** Button that the page's script makes visible and handles. */
const COPY = '<button class="copy" type="button">Copy</button>';

/** Returns blocks of code that stand beside the text on wide screens. */
export function aside(...cards: string[]): string {
  return `<div class="code">${cards.join("")}</div>`;
}

/** Returns a listing with a title. It scrolls with the keyboard. Tests find it by `name`. */
export function card(text: string, title: string, name?: string): string {
  const mark = name === undefined ? "" : ` data-snippet="${name}"`;
  return `<div class="card"${mark}><div class="bar"><span>${escape(title)}</span>${COPY}</div>${pre(text, "")}</div>`;
}

/**
 * Returns a listing in several languages, as tabs that work without a script. Tests find it by name and language. The form keeps
 * the choice of this listing apart from others with the same names.
 */
export function tabs(
  listings: Partial<Listings>,
  name: string,
  { title = "", tabNames = TAB_NAMES }: { title?: string; tabNames?: typeof TAB_NAMES } = {},
): string {
  const languages = LANGUAGES.filter((language) => listings[language] !== undefined);
  const choices = languages.map((language, index) => {
    const checked = index === 0 ? " checked" : "";
    return `<label><input type="radio" name="language" value="${language}"${checked}><span>${tabNames[language]}</span></label>`;
  });
  const blocks = languages.map((language) => pre(listings[language] ?? "", ` class="${language}"`));
  const caption = title === "" ? "" : `<div class="caption">${escape(title)}</div>`;
  const programs = languages.length < LANGUAGES.length ? " programs" : "";
  return `<div class="card tabbed${programs}" data-snippet="${name}">${caption}<div class="bar"><form><fieldset class="tabs"><legend>Language</legend>${choices.join("")}</fieldset></form>${COPY}</div>${blocks.join("")}</div>`;
}

/** Returns a request in every language. */
export function requestTabs(request: ShownRequest, name: string, title = ""): string {
  return tabs(listingsFor(request), name, { title });
}

function pre(text: string, marks: string): string {
  return `<pre tabindex="0"${marks}>${escape(text.trim()).replaceAll("&quot;", '"')}</pre>`;
}
