import { z } from "@hono/zod-openapi";

/** The `Prefer` header of a route that can accept some items of a request and reject the others. */
export const handlingPreference = z.string().optional().openapi({ example: "handling=lenient" });

/** Whether a `Prefer` header asks to accept the valid items of a request that also has invalid ones. */
export function prefersLenient(field: string | undefined): boolean {
  return preference(field, "handling") === "lenient";
}

/** Splits a text at a separator, except inside quotes. */
function splitOutsideQuotes(text: string, separator: "," | ";"): string[] {
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charAt(index);
    if (quoted && unit === "\\") index += 1;
    else if (unit === '"') quoted = !quoted;
    else if (unit === separator && !quoted) {
      parts.push(text.slice(start, index));
      start = index + 1;
    }
  }
  return [...parts, text.slice(start)];
}

function unquoted(word: string): string {
  const inside = /^"(.*)"$/.exec(word)?.[1];
  return inside === undefined ? word : inside.replace(/\\(.)/g, "$1");
}

/**
 * Returns the value of a preference in a `Prefer` header (RFC 7240), or null if the header does not contain it. Names are
 * case-insensitive. Values may be quoted. Parameters are ignored. The first of several equal names counts.
 */
export function preference(field: string | undefined, name: string): string | null {
  for (const preferred of splitOutsideQuotes(field ?? "", ",")) {
    const [pair = ""] = splitOutsideQuotes(preferred, ";");
    const equals = pair.indexOf("=");
    const found = (equals === -1 ? pair : pair.slice(0, equals)).trim().toLowerCase();
    if (found === name) return equals === -1 ? "" : unquoted(pair.slice(equals + 1).trim());
  }
  return null;
}
