import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { extremes } from "../../src/fit/extremes.ts";
import { decodeStreams } from "../../src/fit/index.ts";
import { columnsOf, decodeOne, streamsOf } from "../support/fitDecode.ts";
import { activityFile } from "../support/fitBuilder.ts";

const ROWS = 1_000;
const heartRateAt = (second: number) => 100 + ((second * 37) % 60);
const powerAt = (second: number) => (second * 7919) % 900;
const ride = (() => {
  const file = activityFile();
  for (let second = 0; second < ROWS; second++) {
    file.record(second, [
      [3, "uint8", heartRateAt(second)],
      [7, "uint16", powerAt(second)],
      [5, "uint32", second * 800],
    ]);
  }
  return file.session([], ROWS).build();
})();

describe("streams", () => {
  test("are columns of equal length, with the keys that the activity lists", () => {
    const columns = columnsOf(ride);
    expect(Object.keys(columns)).toEqual(decodeOne(ride).streams);
    expect(new Set(Object.values(columns).map((column) => column.length))).toEqual(new Set([ROWS]));
    expect(streamsOf(ride).downsampled).toBe(false);
  });

  test("are the same when each key is requested on its own", () => {
    const all = columnsOf(ride);
    for (const key of Object.keys(all)) expect(columnsOf(ride, { keys: [key] })).toEqual({ [key]: all[key] });
  });

  test("that the activity does not have are omitted", () => {
    expect(columnsOf(ride, { keys: ["cadence_in_cycles_per_minute", "nonsense"] })).toEqual({});
  });

  test("of a session that does not exist are null", () => {
    for (const sessionIndex of [1, -1, 0.5]) {
      expect(
        decodeStreams(ride, { sessionIndex, keys: null, resolution: null, fallbackStartInSeconds: null }),
      ).toBeNull();
    }
  });
});

describe("a resolution", () => {
  test.each([1, 2, 10, 100, 500, 999])(
    "of %i gives at most that many points, from the rows as recorded",
    (resolution) => {
      const { columns, downsampled } = streamsOf(ride, { resolution });
      const times = columns["time_in_seconds"] ?? [];
      expect(downsampled).toBe(true);
      expect(times.length).toBeLessThanOrEqual(resolution);
      expect(times.length).toBeGreaterThan(0);
      expect(columns["power_in_watts"]).toEqual(times.map((time) => powerAt(time ?? -1)));
      expect(columns["heart_rate_in_beats_per_minute"]).toEqual(times.map((time) => heartRateAt(time ?? -1)));
    },
  );

  test("keeps the highest and lowest reading of each stream", () => {
    const all = columnsOf(ride);
    const { columns } = streamsOf(ride, { resolution: 50 });
    for (const [key, column] of Object.entries(columns)) {
      const whole = (all[key] ?? []).map((reading) => reading ?? NaN);
      expect(Math.max(...column.map((reading) => reading ?? NaN))).toBe(Math.max(...whole));
      expect(Math.min(...column.map((reading) => reading ?? NaN))).toBe(Math.min(...whole));
    }
  });

  test("of at least as many points as rows changes nothing", () => {
    expect(streamsOf(ride, { resolution: ROWS })).toEqual(streamsOf(ride));
  });
});

describe("the extremes of buckets", () => {
  const readings = fc.array(fc.oneof(fc.double({ noNaN: true }), fc.constant(NaN)), {
    minLength: 1,
    maxLength: 300,
  });

  test("are kept for every bucket and column, within the limit, in order", () => {
    fc.assert(
      fc.property(readings, fc.integer({ min: 4, max: 300 }), (column, limit) => {
        const columns = [Float64Array.from(column), Float64Array.from(column, (reading) => -reading)];
        const kept = extremes(columns, column.length, limit);
        expect(kept.length).toBeLessThanOrEqual(limit);
        expect(kept).toEqual([...new Set(kept)].toSorted((a, b) => a - b));
        const known = column.filter((reading) => !Number.isNaN(reading));
        const keptReadings = kept.map((row) => column[row] ?? NaN);
        if (known.length > 0) {
          expect(keptReadings).toContain(Math.max(...known));
          expect(keptReadings).toContain(Math.min(...known));
        }
      }),
    );
  });

  test("of each half when two buckets fit", () => {
    const column = Float64Array.from([5, 9, 1, 5, 5, 7, 3, 5]);
    expect(extremes([column], 8, 6)).toEqual([0, 1, 2, 5, 6, 7]);
  });
});
