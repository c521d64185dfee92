import { z } from "@hono/zod-openapi";
import { expect, test } from "vitest";
import { faultsOf } from "../../src/contract/fault.ts";
import { integer } from "../../src/http/query.ts";

const schema = z.object({
  sport: z.enum(["running", "cycling"]),
  items: z.array(z.string()).min(1).max(2),
  limit: integer(1, 100),
  overwrite: z.boolean(),
});
const VALID = { sport: "running", items: ["a"], limit: "5", overwrite: true };

test.each([
  ["sport", "skiing", "invalid_value", 'Received a string of 6 characters. Send "running" or "cycling".'],
  [
    "sport",
    "https://host.example/?token=secret",
    "invalid_value",
    'Received a string of 34 characters. Send "running" or "cycling".',
  ],
  ["items", [], "too_short", "Received a list of 0. Send at least 1 item."],
  ["items", ["a", "b", "c"], "too_long", "Received a list of 3. Send at most 2 items."],
  ["items", { a: 1 }, "invalid_type", "Received an object. Send a list."],
  ["limit", "101", "invalid_value", 'Received "101". Send an integer from 1 to 100.'],
  ["limit", ["1", "2"], "invalid_type", "Received a list of 2. Send a string."],
  ["overwrite", null, "invalid_type", "Received null. Send true or false."],
  ["overwrite", undefined, "required", "This field is required."],
])(
  "a fault says what %s was and what to send instead, and quotes no text: %j",
  (field, value, code, detail) => {
    const input = { ...VALID, [field]: value };
    const { error } = schema.safeParse(input);
    expect(faultsOf(error?.issues ?? [], input)).toEqual([{ pointer: `/${field}`, code, detail }]);
  },
);
