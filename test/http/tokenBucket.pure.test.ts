import { expect, test } from "vitest";
import { take, type Bucket } from "../../src/http/tokenBucket.pure.ts";

/** Takes one after the other and tells what was granted. */
function takeAll(limit: number, asks: readonly [atMs: number, amount: number][]) {
  let bucket: Bucket | null = null;
  return asks.map(([atMs, amount]) => {
    const taken = take(bucket, limit, amount, atMs);
    bucket = taken.bucket;
    return taken.quota;
  });
}

test("a minute's worth may come at once, and then as fast as the bucket fills", () => {
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

test("what is refused costs nothing, and Retry-After is when it would be granted", () => {
  const [, refused, later] = takeAll(60, [
    [0, 50],
    [0, 30],
    [20_000, 30],
  ]);
  expect(refused).toMatchObject({ granted: false, remaining: 10, retryAfterSeconds: 20 });
  expect(later).toMatchObject({ granted: true, remaining: 0 });
});

test("more than a whole minute's worth is granted to a full bucket, and paid off afterwards", () => {
  const quotas = takeAll(100, [
    [0, 250],
    [60_000, 1],
    [150_000, 100],
    [150_000, 1],
  ]);
  expect(quotas.map((quota) => quota.granted)).toEqual([true, false, true, false]);
  expect(quotas[0]).toMatchObject({ remaining: 0, fullInSeconds: 150 });
});

test("a clock that steps back takes nothing away", () => {
  const [, second] = takeAll(60, [
    [100_000, 1],
    [0, 1],
  ]);
  expect(second).toMatchObject({ granted: true, remaining: 58 });
});

test("a limit of nothing grants nothing", () => {
  expect(take(null, 0, 1, 0).quota).toMatchObject({ granted: false, retryAfterSeconds: 60 });
});
