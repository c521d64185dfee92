import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeActivities, decodeRrIntervals, decodeStreams } from "../../src/fit/index.ts";
import { columnsOf, decode, decodeOne, streamsOf } from "../support/fitDecode.ts";
import { activityFile, concat, T0, type FitBuilder } from "../support/fitBuilder.ts";
import { mutants } from "../support/fitMutants.ts";
import { everythingFile } from "../support/fitSamples.ts";

/** Calls every function of the decoder. Results must not contain NaN or Infinity. */
function exercise(bytes: Uint8Array): void {
  const result = decodeActivities(bytes, { fallbackStartInSeconds: 1_700_000_000 });
  if (!result.ok) return;
  expectFinite(result.activities);
  result.activities.slice(0, 3).forEach((activity, sessionIndex) => {
    expectIntervals(bytes, sessionIndex, activity.has_rr_intervals);
    for (const resolution of [null, 7]) {
      const streams = decodeStreams(bytes, {
        sessionIndex,
        keys: null,
        resolution,
        fallbackStartInSeconds: null,
      });
      expect(Object.keys(streams?.columns ?? {})).toEqual(activity.streams);
      expectFinite(Object.values(streams?.columns ?? {}));
    }
  });
}

function expectIntervals(bytes: Uint8Array, sessionIndex: number, hasIntervals: boolean): void {
  const options = { sessionIndex, most: 1_000, fallbackStartInSeconds: 1_700_000_000 };
  const intervals = decodeRrIntervals(bytes, options);
  if (intervals === null) throw new Error("no session");
  expectFinite(intervals);
  const { time_in_seconds: times, intervals_in_seconds: lengths } = intervals;
  expect(times.length > 0).toBe(hasIntervals);
  expect(lengths).toHaveLength(times.length);
  const isRight = times.every((time, i) => time >= (times[i - 1] ?? 0) && (lengths[i] ?? -1) >= 0);
  expect(isRight).toBe(true);
}

function expectFinite(value: unknown): void {
  if (typeof value === "number" && !Number.isFinite(value)) throw new Error(`returned ${value}`);
  if (typeof value === "object" && value !== null)
    for (const inner of Object.values(value)) expectFinite(inner);
}

describe("any bytes", () => {
  test("never make the decoder throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => exercise(bytes)),
      { numRuns: 200 },
    );
  });

  test("after a header never make the decoder throw", () => {
    const header = activityFile().build({ crc: "none", dataSize: 100_000 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => exercise(concat(header, bytes))),
      { numRuns: 200 },
    );
  });

  test("that differ in a few places from a valid file never make the decoder throw", () => {
    for (const mutant of mutants(everythingFile(), 400, 1)) exercise(mutant);
  });
});

describe("a file cut at any byte", () => {
  const whole = everythingFile();
  const all = columnsOf(whole)["time_in_seconds"] ?? [];

  test("gives a prefix of its records and never throws", () => {
    let most = 0;
    for (let length = 0; length < whole.length; length++) {
      const cut = whole.subarray(0, length);
      exercise(cut);
      const result = decodeActivities(cut, { fallbackStartInSeconds: null });
      if (!result.ok) continue;
      expect(result.warnings).toContain("fit_truncated");
      const times = columnsOf(cut)["time_in_seconds"] ?? [];
      expect(times).toEqual(all.slice(0, times.length));
      expect(times.length).toBeGreaterThanOrEqual(most);
      most = times.length;
    }
    expect(most).toBe(all.length);
  });
});

describe("bounds", () => {
  const many = (count: number, add: (file: FitBuilder, i: number) => void) => {
    const file = activityFile();
    for (let i = 0; i < count; i++) add(file, i);
    return file;
  };

  test("devices, laps, lengths, sessions and developer fields stay bounded", () => {
    const file = many(30_000, (builder, i) => {
      builder.message(23, [
        [0, "uint8", i & 0xff],
        [3, "uint32z", i + 1],
      ]);
      builder.lap([[2, "uint32", T0 + i]]);
      builder.length([[2, "uint32", T0 + i]]);
    });
    const activity = decodeOne(file.session().build());
    expect(activity.devices.length).toBeLessThanOrEqual(65);
    expect(activity.laps.length).toBeLessThanOrEqual(1_000);
    expect(activity.lengths.length).toBeLessThanOrEqual(4_000);

    const sessions = many(3_000, (builder) => builder.session());
    expect(decode(sessions.build()).activities.length).toBeLessThanOrEqual(100);

    const described = activityFile();
    for (let number = 0; number < 250; number++) described.fieldDescription(number, `f${number}`, "uint8");
    for (let from = 0; from < 250; from += 50) {
      const developer = Array.from({ length: 50 }, (_, i) => [from + i, 0, "uint8", 1] as const);
      described.record(from, [], { developer });
    }
    expect(Object.keys(columnsOf(described.build())).length).toBeLessThanOrEqual(65);
  });

  test("a month between two records is not filled up", () => {
    const bytes = activityFile()
      .record(0, [[7, "uint16", 200]])
      .record(27 * 86_400, [[7, "uint16", 200]])
      .session([], 27 * 86_400)
      .build();
    expect(columnsOf(bytes)["time_in_seconds"]).toEqual([0, 27 * 86_400]);
    expect(decodeOne(bytes).elapsed_time_in_seconds).toBe(27 * 86_400);
  });

  test("100,000 records give 100,000 rows", () => {
    const file = many(100_000, (builder, i) => builder.record(i, [[3, "uint8", 100 + (i % 100)]]));
    const bytes = file.session([], 100_000).build();
    expect(columnsOf(bytes)["time_in_seconds"]).toHaveLength(100_000);
    expect(decodeOne(bytes).average_heart_rate_in_beats_per_minute).toBe(149.5);
  });

  test(
    "more rows than a response may have are downsampled, with the extremes kept",
    { timeout: 60_000 },
    () => {
      const rates = (i: number) => (i === 1_000_000 ? 220 : i === 1_500_000 ? 30 : 120);
      const file = activityFile();
      for (let i = 0; i < 2_100_000; i++) {
        if (i === 0)
          file.record(0, [[3, "uint8", rates(0)]]).record(null, [[3, "uint8", rates(0)]], { compressed: 0 });
        // These records use the definition of the second record: two bytes each, one second apart.
        else file.raw(0xa0 | (i & 0x1f), rates(i));
      }
      const { columns, downsampled } = streamsOf(file.build());
      const readings = columns["heart_rate_in_beats_per_minute"] ?? [];
      expect(downsampled).toBe(true);
      expect(readings.length).toBeLessThanOrEqual(2_000_000);
      expect(new Set(readings)).toEqual(new Set([120, 220, 30]));
      expect(columns["time_in_seconds"]?.at(-1)).toBe(2_099_999);
    },
  );
});
