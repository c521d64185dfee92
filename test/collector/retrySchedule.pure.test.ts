import { expect, test } from "vitest";
import { nextTryAt } from "../../src/collector/dispatches/retrySchedule.pure.ts";

const HOUR = 60 * 60_000;
const start = 1_780_000_000_000;

/** The instants of all attempts after the first, when each fails at once. */
function attempts(origin: "host" | "own_store", retryAfterSeconds: number | null = null): number[] {
  const instants: number[] = [];
  let nowMs = start;
  for (let failedAttempts = 1; failedAttempts < 1_000; failedAttempts += 1) {
    const at = nextTryAt({ origin, failedAttempts, firstFaultAt: start, retryAfterSeconds, nowMs });
    if (at === null) return instants;
    instants.push(at - start);
    nowMs = at;
  }
  throw new Error("attempts never end");
}

test("a host that fails is asked again with growing delays, for 2 to 6 hours", () => {
  const instants = attempts("host");
  const delays = instants.map((at, index) => at - (instants[index - 1] ?? 0));
  expect(delays).toEqual([...delays].toSorted((a, b) => a - b));
  expect(instants.at(-1)).toBeGreaterThanOrEqual(2 * HOUR);
  expect(instants.at(-1)).toBeLessThanOrEqual(6 * HOUR);
});

test("Retry-After is obeyed, but never past six hours", () => {
  const first = nextTryAt({
    origin: "host",
    failedAttempts: 1,
    firstFaultAt: start,
    retryAfterSeconds: 120,
    nowMs: start,
  });
  expect(first).toBe(start + 120_000);
  expect(attempts("host", 100_000)).toEqual([6 * HOUR]);
});

test("a fault of our own stores is tried again for 24 hours", () => {
  const instants = attempts("own_store");
  expect(instants.at(-1)).toBe(24 * HOUR);
  expect(instants[0]).toBe(5_000);
});
