import { describe, expect, test } from "vitest";
import { afterAttempt, nextAttemptAt } from "../../src/deliveries/schedule.pure.ts";

const nowMs = Date.parse("2026-11-25T12:00:00Z");
const HOUR = 3_600;
/** Delays after each failed attempt, as the contract states them. */
const promisedSeconds = [5, 300, 1_800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];

function delaySeconds(
  failedAttempts: number,
  random = 0,
  retryAfterSeconds: number | null = null,
): number | null {
  const at = nextAttemptAt({ failedAttempts, nowMs, retryAfterSeconds, random });
  return at === null ? null : (at - nowMs) / 1_000;
}

describe("A failed attempt is repeated", () => {
  test("after the promised delays, with ten attempts in total", () => {
    expect(promisedSeconds.map((_, index) => delaySeconds(index + 1))).toEqual(promisedSeconds);
    expect(delaySeconds(promisedSeconds.length + 1)).toBeNull();
  });

  test("at a random time up to a tenth earlier, never later", () => {
    for (const [index, seconds] of promisedSeconds.entries()) {
      for (const random of [0, 0.3, 0.999_999]) {
        const delay = delaySeconds(index + 1, random) ?? 0;
        expect(delay).toBeLessThanOrEqual(seconds);
        expect(delay).toBeGreaterThanOrEqual(seconds * 0.9);
      }
    }
  });

  test("not before the time in the receiver's Retry-After", () => {
    expect(delaySeconds(1, 0.9, 120)).toBe(120);
    expect(delaySeconds(2, 0, 1)).toBe(300);
    expect(delaySeconds(2, 0.5, 299)).toBe(299);
    expect(delaySeconds(1, 0, 0)).toBe(5);
  });

  test("within a day, even if Retry-After is longer", () => {
    expect(delaySeconds(1, 0, 9_999_999_999)).toBe(24 * HOUR);
  });
});

describe("A response", () => {
  const first = { failedAttempts: 1, nowMs, retryAfterSeconds: null, random: 0 };
  test.each([200, 201, 202, 204, 299])("with status %i delivers the event", (status) => {
    expect(afterAttempt(status, first)).toEqual({ status: "delivered", next_attempt_at: null });
  });
  test("with status 410 ends the attempts", () => {
    expect(afterAttempt(410, { ...first, retryAfterSeconds: 5 })).toEqual({
      status: "failed",
      next_attempt_at: null,
    });
  });
  test.each([null, 199, 301, 302, 304, 400, 401, 404, 408, 429, 500, 503])(
    "with status %s leads to another attempt",
    (status) => {
      expect(afterAttempt(status, first)).toEqual({ status: "pending", next_attempt_at: nowMs + 5_000 });
    },
  );
  test("after the last attempt marks the event as failed", () => {
    expect(afterAttempt(500, { ...first, failedAttempts: 10 })).toEqual({
      status: "failed",
      next_attempt_at: null,
    });
  });
});
