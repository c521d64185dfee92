import { expect, test } from "vitest";
import { take, type Bucket } from "../../src/concurrency/tokenBucket.pure.ts";

/** Takes tokens one after the other and returns which requests were granted. */
function takeAll(limit: number, asks: readonly [atMs: number, amount: number][]) {
  let bucket: Bucket | null = null;
  return asks.map(([atMs, amount]) => {
    const taken = take(bucket, limit, amount, atMs);
    bucket = taken.bucket;
    return taken.quota;
  });
}

test("grants the tokens of one minute at once, and later ones as the bucket fills", () => {
  const quotas = takeAll(60, [
    ...Array.from({ length: 61 }, (): [number, number] => [0, 1]),
    [999, 1],
    [1_000, 1],
    [1_000, 1],
  ]);
  expect(quotas.map((quota) => quota.granted)).toEqual([
    ...Array<boolean>(60).fill(true),
    false,
    false,
    true,
    false,
  ]);
  expect(quotas[0]).toEqual({
    granted: true,
    limit: 60,
    remaining: 59,
    fullInSeconds: 1,
    retryAfterSeconds: 0,
  });
  expect(quotas[60]).toEqual({
    granted: false,
    limit: 60,
    remaining: 0,
    fullInSeconds: 60,
    retryAfterSeconds: 1,
  });
});

test("a rejected request takes no token, and is granted after Retry-After", () => {
  const [, refused, later] = takeAll(60, [
    [0, 50],
    [0, 30],
    [20_000, 30],
  ]);
  expect(refused).toMatchObject({ granted: false, remaining: 10, retryAfterSeconds: 20 });
  expect(later).toMatchObject({ granted: true, remaining: 0 });
});

test("a full bucket grants more than its content, and later requests wait longer", () => {
  const quotas = takeAll(100, [
    [0, 250],
    [60_000, 1],
    [150_000, 100],
    [150_000, 1],
  ]);
  expect(quotas.map((quota) => quota.granted)).toEqual([true, false, true, false]);
  expect(quotas[0]).toMatchObject({ remaining: 0, fullInSeconds: 150 });
});

test("a clock that goes back removes no tokens", () => {
  const [, second] = takeAll(60, [
    [100_000, 1],
    [0, 1],
  ]);
  expect(second).toMatchObject({ granted: true, remaining: 58 });
});

test("a limit of 0 grants nothing", () => {
  expect(take(null, 0, 1, 0).quota).toMatchObject({ granted: false, retryAfterSeconds: 60 });
});
