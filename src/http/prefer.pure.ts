/** Splits at a separator, except inside quotes. */
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
 * The value of a preference in a `Prefer` field (RFC 7240): names in any case, quotes or none, parameters
 * passed over, the first of several. Null when it is not there; what cannot be read is no preference.
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
