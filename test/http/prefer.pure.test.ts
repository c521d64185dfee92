import { expect, test } from "vitest";
import { preference } from "../../src/http/prefer.pure.ts";

test("a preference is parsed according to RFC 7240", () => {
  const cases: [field: string | undefined, value: string | null][] = [
    [undefined, null],
    ["", null],
    ["handling=lenient", "lenient"],
    ["Handling = lenient", "lenient"],
    ['handling="lenient"', "lenient"],
    ['handling="len\\ient"', "lenient"],
    ["wait=10, handling=lenient", "lenient"],
    ["respond-async,handling=lenient;strength=1;other", "lenient"],
    ['foo="a, handling=strict", handling=lenient', "lenient"],
    ['foo="a\\", handling=strict", handling=lenient', "lenient"],
    ["handling=strict, handling=lenient", "strict"],
    ["foo; handling=lenient", null],
    ["handling", ""],
    ["handlings=lenient", null],
    ['foo="never ends, handling=lenient', null],
    [",;=,", null],
  ];
  for (const [field, value] of cases) expect([field, preference(field, "handling")]).toEqual([field, value]);
});
