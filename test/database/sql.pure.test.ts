import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { jsonSlices, Where } from "../../src/database/sql.ts";

/** Maximum size of a bound string in D1 and in a Durable Object. */
const MAX_BYTES = 2_000_000;

const bytesOf = (text: string) => new TextEncoder().encode(text).byteLength;

test("rows in any script are split into slices that can be bound, completely and in order", () => {
  const text = fc.constantFrom("a", "\u00e9", "\u4e2d", "\u{1f6b4}", "\ud800", '"', "\u0000");
  fc.assert(
    fc.property(fc.array(fc.tuple(text, fc.integer({ min: 0, max: 9_000 })), { maxLength: 400 }), (rows) => {
      const texts = rows.map(([letter, count]) => letter.repeat(count));
      const slices = jsonSlices(texts);
      for (const slice of slices) expect(bytesOf(slice)).toBeLessThanOrEqual(MAX_BYTES);
      expect(slices.flatMap((slice) => z.array(z.string()).parse(JSON.parse(slice)))).toEqual(texts);
    }),
    { numRuns: 40 },
  );
});

test("rows of three-byte letters alone do not make a slice too long", () => {
  const slices = jsonSlices(Array.from({ length: 3_000 }, () => "\u4e2d".repeat(1_000)));
  for (const slice of slices) expect(bytesOf(slice)).toBeLessThanOrEqual(MAX_BYTES);
});

test("a Where joins its conditions and keeps the values in the order of their parameters", () => {
  const where = new Where()
    .and("a = ?", "p")
    .andEqual("b", undefined)
    .and("(c, d) < (?, ?)", 1, null)
    .andEqual("e", 0)
    .and("f IS NULL");
  expect(where.sql).toBe("a = ? AND (c, d) < (?, ?) AND e = ? AND f IS NULL");
  expect(where.values).toEqual(["p", 1, null, 0]);
});
