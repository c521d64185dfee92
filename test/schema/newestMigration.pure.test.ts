import { readdirSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { NEWEST_MIGRATION } from "../../src/schema/schema.ts";

test("the code requires the newest migration", () => {
  const files = readdirSync(path.join(import.meta.dirname, "../../migrations"));
  expect(NEWEST_MIGRATION).toBe(
    files
      .filter((file) => file.endsWith(".sql"))
      .toSorted()
      .at(-1),
  );
});
