import { describe, expect, test } from "vitest";
import { extremes } from "../../src/fit/extremes.ts";
import { decodeActivities, decodeStreams, decodeWithStreams } from "../../src/fit/index.ts";
import { viewOf } from "../../src/fit/frame.ts";
import { survey } from "../../src/fit/survey.ts";
import { FILE_UNITS, Work } from "../../src/fit/work.ts";
import { HOSTILE_FILES, leapingSessions, sparseRows } from "../support/fitHostile.ts";
import { everythingFile } from "../support/fitSamples.ts";

const NO_FALLBACK = { fallbackStartInSeconds: null };
const MIB = 1024 * 1024;
/** One step past the budget is possible: a message is paid for once it has been read. */
const LARGEST_STEP = 1_000_000;

function unitsOf(bytes: Uint8Array): { used: number; isTruncated: boolean } {
  const work = new Work();
  const { warnings } = survey(viewOf(bytes), work);
  return { used: FILE_UNITS - work.left, isTruncated: warnings.has("fit_truncated") };
}

describe("The work that a file may cost", () => {
  test.each(Object.entries(HOSTILE_FILES))(
    "is bounded for %s, and what was read by then stays",
    (_, make) => {
      const { used, isTruncated } = unitsOf(make(8 * MIB));
      expect(used).toBeLessThan(FILE_UNITS + LARGEST_STEP);
      if (used >= FILE_UNITS) expect(isTruncated).toBe(true);
    },
  );

  test("ends a file whose records never end with fit_truncated, and its first records are decoded", () => {
    const bytes = sparseRows(32 * MIB, 1);
    const decoded = decodeActivities(bytes, NO_FALLBACK);
    expect(decoded).toMatchObject({ ok: true, warnings: ["fit_truncated"] });
    const streams = decodeStreams(bytes, { ...NO_FALLBACK, sessionIndex: 0, keys: null, resolution: 10 });
    expect(streams?.columns["time_in_seconds"]?.[0]).toBe(0);
  });

  test("leaves a day of records every second, with power in 20 developer fields, whole", () => {
    const bytes = sparseRows(8 * MIB, 20, { nativeField: 7, rows: 86_400 });
    expect(unitsOf(bytes).isTruncated).toBe(false);
  });

  test("makes a file that is too large for its activities and all its streams be asked for one at a time", () => {
    const bytes = leapingSessions(32 * MIB);
    expect(decodeWithStreams(bytes, NO_FALLBACK)).toMatchObject({ ok: true, streams: null });
    const alone = decodeStreams(bytes, { ...NO_FALLBACK, sessionIndex: 7, keys: null, resolution: 100 });
    expect(alone?.columns["time_in_seconds"]?.length).toBeGreaterThan(10);
  });
});

test("All streams of a file at once are those of each session alone", () => {
  const triathlon = leapingSessions(64 * 1024, 3);
  for (const bytes of [everythingFile(), triathlon]) {
    const together = decodeWithStreams(bytes, NO_FALLBACK);
    if (!together.ok) throw new Error(together.problem.code);
    expect(together.streams).toEqual(
      together.activities.map((_, sessionIndex) =>
        decodeStreams(bytes, { ...NO_FALLBACK, sessionIndex, keys: null, resolution: null }),
      ),
    );
    expect(decodeActivities(bytes, NO_FALLBACK)).toEqual({
      ok: true,
      warnings: together.warnings,
      activities: together.activities,
    });
  }
});

/** `extremes` may read so many numbers while it shrinks the buckets, and some rounds more. */
const SHRINKING_READINGS = 16_000_000;

test.each([1, 2, 3, 100, 1_000, 7_999])(
  "Sparse columns thinned to %i points keep their extremes as far as there is room, in a bounded number of rounds",
  (limit) => {
    const [rows, count] = [8_000, 16];
    const readingOf = (row: number) => (row * 7_919) % 1_000;
    let readings = 0;
    const columns = Array.from({ length: count }, (_, column) => {
      const sparse = new Float64Array(rows).fill(NaN);
      for (let row = column; row < rows; row += count) sparse[row] = readingOf(row);
      return new Proxy(sparse, {
        get(target, key) {
          readings += 1;
          return Reflect.get(target, key);
        },
      });
    });
    const kept = extremes(columns, rows, limit);
    expect(kept.length).toBeLessThanOrEqual(limit);
    expect(kept).toEqual([...new Set(kept)].toSorted((a, b) => a - b));
    expect(readings).toBeLessThan(SHRINKING_READINGS + 8 * rows * count);
    if (limit < 100) return;
    for (let column = 0; column < count; column += 1) {
      const own = kept.filter((row) => row % count === column).map(readingOf);
      const all = Array.from({ length: rows / count }, (_, place) => readingOf(column + place * count));
      expect([Math.min(...own), Math.max(...own)]).toEqual([Math.min(...all), Math.max(...all)]);
    }
  },
);

test("A definition that is repeated before every record changes nothing", () => {
  const make = HOSTILE_FILES["a definition before every record"];
  if (make === undefined) throw new Error("no such file");
  const heartRates = decodeStreams(make(2_000), {
    ...NO_FALLBACK,
    sessionIndex: 0,
    keys: null,
    resolution: null,
  })?.columns["heart_rate_in_beats_per_minute"];
  expect(heartRates?.length).toBeGreaterThan(100);
  expect(new Set(heartRates)).toEqual(new Set([99]));
});
