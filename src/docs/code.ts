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
  return `<div class="card"><div class="bar"><span>${escape(title)}</span>${COPY}</div>${pre(text, mark)}</div>`;
}

/** Returns a listing in several languages, as tabs that work without a script. Tests find it by name and language. */
export function tabs(
  listings: Listings,
  name: string,
  tabNames: Readonly<Record<Language, string>> = TAB_NAMES,
): string {
  const choices = LANGUAGES.map((language, index) => {
    const checked = index === 0 ? " checked" : "";
    return `<label><input type="radio" name="tab-${name}" value="${language}"${checked}><span>${tabNames[language]}</span></label>`;
  });
  const blocks = LANGUAGES.map((language) =>
    pre(listings[language], ` class="${language}" data-snippet="${name}.${language}"`),
  );
  return `<div class="card tabbed"><div class="bar"><fieldset class="tabs"><legend>Language</legend>${choices.join("")}</fieldset>${COPY}</div>${blocks.join("")}</div>`;
}

/** Returns a request in every language. */
export function requestTabs(request: ShownRequest, name: string): string {
  return tabs(listingsFor(request), name);
}

function pre(text: string, marks: string): string {
  return `<pre tabindex="0"${marks}>${escape(text.trim()).replaceAll("&quot;", '"')}</pre>`;
}
