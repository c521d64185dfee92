import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { inBytes, inDigits, inWords } from "../../src/contract/amounts.ts";

const DOCS = path.join(import.meta.dirname, "../../src/docs");
const TEXTS = [
  "guide.ts",
  "operations.ts",
  "fields.ts",
  "codes.ts",
  "fileWords.ts",
  "schemas.ts",
  "document.ts",
];

/** A figure with a unit that is typed by hand. Text between `${` and `}` comes from a constant. */
const FIGURE =
  /\b\d[\d,.]*\s?(?:TB|MiB|KiB|bytes|s|ms|seconds?|min|minutes?|hours?|h|days?|characters|items|files|users|rows|redirects|values|requests|MB)\b/g;

/** The limit of test events is one for each day. */
const ALLOWED = new Set(["24 hours"]);

test.for(TEXTS)("every figure in the text of %s comes from a constant", (name) => {
  const source = readFileSync(path.join(DOCS, name), "utf8").replaceAll(/\$\{[^}]*\}/g, "…");
  const lines = source.split("\n").filter((line) => !/^\s*(\/\*\*|\*|\/\/)/.test(line));
  const typed = lines.flatMap((line) => line.match(FIGURE) ?? []).filter((figure) => !ALLOWED.has(figure));
  expect(typed).toEqual([]);
});

test("amounts are written in the largest unit that divides them", () => {
  expect([inDigits(5_000), inDigits(12)]).toEqual(["5,000", "12"]);
  expect([16 * 1024 ** 2, 256 * 1024, 1e12, 500].map(inBytes)).toEqual([
    "16 MiB",
    "256 KiB",
    "1 TB",
    "500 bytes",
  ]);
  expect([15_000, 60_000, 90_000, 86_400_000, 30 * 86_400_000].map(inWords)).toEqual([
    "15 seconds",
    "1 minute",
    "90 seconds",
    "24 hours",
    "30 days",
  ]);
});
