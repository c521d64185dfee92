import { expect, test } from "vitest";
import { nextTryAt, postponedUntil } from "../../src/collector/dispatches/retrySchedule.pure.ts";

const HOUR = 60 * 60_000;
const start = 1_780_000_000_000;

/** Returns the times of all attempts after the first, when each fails immediately. */
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

test("attempts at a failing host are repeated after growing delays, for 2 to 6 hours", () => {
  const instants = attempts("host");
  const delays = instants.map((at, index) => at - (instants[index - 1] ?? 0));
  expect(delays).toEqual([...delays].toSorted((a, b) => a - b));
  expect(instants.at(-1)).toBeGreaterThanOrEqual(2 * HOUR);
  expect(instants.at(-1)).toBeLessThanOrEqual(6 * HOUR);
});

test("Retry-After is respected, but never beyond six hours", () => {
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

test("attempts after a fault of our stores are repeated for 24 hours", () => {
  const instants = attempts("own_store");
  expect(instants.at(-1)).toBe(24 * HOUR);
  expect(instants[0]).toBe(5_000);
});

test.each([
  ["host", 6],
  ["own_store", 24],
] as const)(
  "a file postponed by its %s is dispatched again after pauses that grow to half an hour, for %d hours",
  (origin, hours) => {
    let nowMs = start;
    const pauses: number[] = [];
    for (;;) {
      const until = postponedUntil({ origin, since: start, leastMs: 5_000, nowMs });
      if (until === null) break;
      // Alarms have whole milliseconds.
      expect(Number.isInteger(until)).toBe(true);
      pauses.push(until - nowMs);
      nowMs = until;
    }
    expect(pauses.slice(0, 5)).toEqual([5_000, 5_000, 5_000, 7_500, 11_250]);
    expect(pauses.at(-1)).toBe(30 * 60_000);
    expect(nowMs - start).toBeGreaterThanOrEqual(hours * HOUR);
    expect(nowMs - start).toBeLessThan((hours + 0.5) * HOUR);
    // Fewer than the revisions between two versions: each claim uses one.
    expect(pauses.length).toBeLessThan(100);
  },
);

test("a postponed file is not dispatched before its host has a free slot", () => {
  const postponed = { origin: "host", since: start, leastMs: 90_000, nowMs: start + 10_000 } as const;
  expect(postponedUntil(postponed)).toBe(start + 100_000);
});
