import { expect, test } from "vitest";
import { splitKeys } from "../../src/activities/splitKeys.pure.ts";

test.each([
  ["one", ["one"]],
  ["one,two", ["one", "two"]],
  ["", [""]],
  ["one,", ["one", ""]],
  [String.raw`developer.Power\, left,two`, ["developer.Power, left", "two"]],
  [String.raw`developer.a\\,two`, ["developer.a\\", "two"]],
  [String.raw`developer.a\b,two`, ["developer.a\\b", "two"]],
  ["developer.𝕏,two", ["developer.𝕏", "two"]],
])("%j names the streams %j", (text, keys) => {
  expect(splitKeys(text)).toEqual(keys);
});
