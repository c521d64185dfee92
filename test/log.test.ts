import { env } from "cloudflare:workers";
import { expect, test, vi } from "vitest";
import { faultName, logLine } from "../src/log.ts";

async function thrownBy(act: () => Promise<unknown>): Promise<unknown> {
  try {
    await act();
  } catch (fault) {
    return fault;
  }
  throw new Error("nothing was thrown");
}

test("a line names the store that failed, by the error messages of the platform's real stores", async () => {
  const name = async (act: () => Promise<unknown>) => faultName(await thrownBy(act));
  expect(await name(() => env.DB.prepare("SELECT s3cret FROM nowhere").run())).toBe("D1:no_schema");
  expect(await name(() => env.FILES.put("k".repeat(2_000), "bytes"))).toMatch(/^R2:Error/);
  expect(await name(() => env.FILES.get("k".repeat(2_000)))).toMatch(/^R2:Error/);
  expect(await name(() => env.PARTNERS.put("k".repeat(600), "s3cret"))).toBe("KV:Error");
});

test.each([
  ["Queue sendBatch failed: Internal Server Error", "queue:Error"],
  ["Queue is overloaded. Please back off.", "queue:overloaded"],
  ["KV GET failed: 500 Internal Server Error", "KV:Error"],
  ["D1_ERROR: D1 DB is overloaded. Requests queued for too long.", "D1:overloaded"],
  ["D1_ERROR: Exceeded maximum DB size", "D1:full"],
  ["D1_ERROR: database or disk is full: SQLITE_FULL", "D1:full"],
  ["D1_ERROR: no such column: f.readable_name at offset 7: SQLITE_ERROR", "D1:no_schema"],
  ["D1_ERROR: table files has no column named readable_name at offset 7: SQLITE_ERROR", "D1:no_schema"],
  ["D1_ERROR: database is locked: SQLITE_BUSY", "D1:locked"],
  ["D1_ERROR: Network connection lost.", "D1:restarted"],
  ["D1_ERROR: constraint failed", "D1:Error"],
  ["Durable Object is overloaded. Too many requests queued.", "collector:overloaded"],
  ["Durable Object reset because its code was updated.", "collector:restarted"],
  ["database is locked, said the host of a file", "Error"],
  ["connect to https://files.example.com/?token=D1_ERROR: put: KV GET failed: ", "Error"],
  ["put away: s3cret", "Error"],
])(
  "only a known beginning of an error message identifies a store, and a line contains no text of the message: %s",
  (message, name) => {
    expect(faultName(new Error(message))).toBe(name);
  },
);

test("a line cannot have a field that its type does not have, not even from a spread object", () => {
  const written = vi.spyOn(console, "log").mockImplementation(() => undefined);
  const file = { partner_id: "acme", file_id: "file" };
  const owned = { ...file, user_id: "athlete-1" };
  const unit = { unit: "setback", outcome: "original_missing" } as const;
  logLine({ ...unit, ...file });
  expect(written.mock.calls).toEqual([
    ['{"unit":"setback","outcome":"original_missing","partner_id":"acme","file_id":"file"}'],
  ]);
  // The compiler enforces it: `npm run check` fails unless each of these calls is a type error.
  const refused = [
    // @ts-expect-error -- spread from an object that also has a user id
    () => logLine({ ...unit, ...owned }),
    // @ts-expect-error -- written as a literal
    () => logLine({ ...unit, partner_id: "acme", file_id: "file", url: "https://files.example.com/" }),
    // @ts-expect-error -- a field of another unit's line
    () => logLine({ ...unit, ...file, route: "/api/files/" }),
    // @ts-expect-error -- an outcome that no line of this unit has
    () => logLine({ unit: "setback", outcome: "done", ...file }),
    // @ts-expect-error -- without one of the outcome's ids
    () => logLine({ ...unit, partner_id: "acme" }),
  ];
  expect(refused).toHaveLength(5);
});
