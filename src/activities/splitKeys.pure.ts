/** Splits names of streams at commas. A comma within a name is written `\,`, a backslash `\\`. */
export function splitKeys(text: string): string[] {
  const keys = [""];
  for (const [piece] of text.matchAll(/\\[,\\]|[^]/gu)) {
    if (piece === ",") keys.push("");
    else keys[keys.length - 1] += piece.length > 1 && piece.startsWith("\\") ? piece.slice(1) : piece;
  }
  return keys;
}
