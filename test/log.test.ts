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

test("a line says which store of ours has thrown, as the platform's stores really throw", async () => {
  const name = async (act: () => Promise<unknown>) => faultName(await thrownBy(act));
  expect(await name(() => env.DB.prepare("SELECT s3cret FROM nowhere").run())).toBe("D1:Error");
  expect(await name(() => env.FILES.put("k".repeat(2_000), "bytes"))).toMatch(/^R2:Error/);
  expect(await name(() => env.FILES.get("k".repeat(2_000)))).toMatch(/^R2:Error/);
  expect(await name(() => env.PARTNERS.put("k".repeat(600), "s3cret"))).toBe("KV:Error");
});

test.each([
  ["Queue sendBatch failed: Internal Server Error", "queue:Error"],
  ["Queue is overloaded. Please back off.", "queue:Error"],
  ["KV GET failed: 500 Internal Server Error", "KV:Error"],
  ["D1_ERROR: D1 DB is overloaded. Requests queued for too long.", "D1:Error"],
  ["Durable Object is overloaded. Too many requests queued.", "collector:Error"],
  ["connect to https://files.example.com/?token=D1_ERROR: put: KV GET failed: ", "Error"],
  ["put away: s3cret", "Error"],
])(
  "of what a fault says only a beginning that is known counts, and nothing of it is kept: %s",
  (message, name) => {
    expect(faultName(new Error(message))).toBe(name);
  },
);

test("a field that its type does not name reaches no line, not even spread from a wider object", () => {
  const written = vi.spyOn(console, "log").mockImplementation(() => undefined);
  const file = { partner_id: "acme", file_id: "file" };
  const owned = { ...file, user_id: "athlete-1" };
  const unit = { unit: "setback", outcome: "original_missing" } as const;
  logLine({ ...unit, ...file });
  expect(written.mock.calls).toEqual([
    ['{"unit":"setback","outcome":"original_missing","partner_id":"acme","file_id":"file"}'],
  ]);
  // The promise itself is kept by the compiler: each of these is an error, or `npm run check` fails.
  const refused = [
    // @ts-expect-error -- spread from an object that also has a user id
    () => logLine({ ...unit, ...owned }),
    // @ts-expect-error -- written out
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
