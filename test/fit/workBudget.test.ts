import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { extremes, fewerExtremes } from "../../src/fit/extremes.ts";
import { viewOf } from "../../src/fit/frame.ts";
import { decodeActivities, decodeStreams, decodeWithData, type Streams } from "../../src/fit/index.ts";
import { windowFinder, type SessionWindow } from "../../src/fit/sessionWindows.ts";
import { readFirstPass } from "../../src/fit/firstPass.ts";
import { FILE_UNITS, WorkBudget } from "../../src/fit/workBudget.ts";
import { activityFile, concat, T0, type FitBuilder } from "../support/fitBuilder.ts";
import { columnsOf, decode, decodeOne } from "../support/fitDecode.ts";
import { HOSTILE_FILES, leapingSessions, sparseRows } from "../support/fitHostile.ts";

const MEBIBYTE = 2 ** 20;

function allStreamsOf(bytes: Uint8Array): Streams[] {
  const decoded = decodeWithData(bytes, { fallbackStartInSeconds: null, most: 0 });
  if (!decoded.ok || decoded.data === null) throw new Error("no streams");
  return decoded.data.map(({ streams }) => streams);
}

function unitsOf(bytes: Uint8Array): number {
  const work = new WorkBudget();
  readFirstPass(viewOf(bytes), work);
  return FILE_UNITS - work.left;
}

/** `rows` records of heart rate and power after the session, so that truncation removes records only. */
function ride(rows: number): FitBuilder {
  const file = activityFile().session([], rows);
  for (let i = 0; i < rows; i++) {
    file.record(i, [
      [3, "uint8", 100 + (i % 50)],
      [7, "uint16", 200],
    ]);
  }
  return file;
}

describe("the work of a file", () => {
  test("is the same each time, and grows with its records", () => {
    const [one, two] = [unitsOf(ride(10_000).build()), unitsOf(ride(20_000).build())];
    expect(unitsOf(ride(10_000).build())).toBe(one);
    expect(two / one).toBeCloseTo(2, 1);
  });

  test("ends the file where it is used up, and what was read stays", () => {
    const bytes = ride(1_000).build();
    const found = readFirstPass(viewOf(bytes), new WorkBudget(unitsOf(bytes) / 2));
    expect([...found.warnings]).toEqual(["fit_truncated"]);
    expect(found.chainedFiles).toHaveLength(1);
    expect(found.chainedFiles[0]?.sessions).toHaveLength(1);
    expect(found.chainedFiles[0]?.records.count).toBeGreaterThan(400);
    expect(found.chainedFiles[0]?.records.count).toBeLessThan(600);
  });

  test("that just fits the budget truncates nothing, and counts over all chained files", () => {
    const [bytes, segment] = [ride(100).build(), ride(200).build()];
    const enough = readFirstPass(viewOf(bytes), new WorkBudget(unitsOf(bytes)));
    expect([...enough.warnings]).toEqual([]);
    expect(enough.chainedFiles[0]?.records.count).toBe(100);
    const both = readFirstPass(viewOf(concat(bytes, segment)), new WorkBudget(unitsOf(bytes)));
    expect([...both.warnings]).toEqual(["fit_truncated"]);
    expect(both.chainedFiles.map((chained) => chained.records.count)).toEqual([100]);
  });

  test("of a definition that is repeated before every record is small", () => {
    const file = activityFile();
    const definition = [0x41, 0, 0, 20, 0, 2, 253, 4, 0x86, 3, 1, 2];
    const second = (i: number) => Array.from(new Uint8Array(Uint32Array.of(T0 + i).buffer));
    for (let i = 0; i < 5_000; i++) file.raw(...definition, 1, ...second(i), 100);
    const bytes = file.build();
    expect(columnsOf(bytes)["time_in_seconds"]).toHaveLength(5_000);
    expect(unitsOf(bytes) / 5_000).toBeLessThan(20);
  });

  test.each(Object.keys(HOSTILE_FILES))("grows no faster than the file: %s", (kind) => {
    const make = HOSTILE_FILES[kind] ?? (() => new Uint8Array());
    const [one, two] = [make(MEBIBYTE / 2), make(MEBIBYTE)];
    expect(unitsOf(two)).toBeLessThan(2.2 * unitsOf(one) + 100_000);
    const result = decodeActivities(two, { fallbackStartInSeconds: null });
    if (result.ok) {
      const together = decodeWithData(two, { fallbackStartInSeconds: null, most: 0 });
      const data = together.ok ? together.data : [];
      if (data !== null) expect(data).toHaveLength(result.activities.length);
    }
  });

  test(
    "is too small for 64 columns of 3,000,000 rows: only the first columns are kept",
    { timeout: 60_000 },
    () => {
      const bytes = HOSTILE_FILES["rows of a byte among 64 columns"]?.(4 * MEBIBYTE) ?? new Uint8Array();
      const { warnings, activities } = decode(bytes);
      expect(warnings).toContain("fit_truncated");
      const keys = activities[0]?.streams.filter((key) => key.startsWith("developer.")) ?? [];
      expect(keys[0]).toBe("developer.f");
      expect(keys.length).toBeGreaterThan(5);
      expect(keys.length).toBeLessThan(64);
      expect(Object.keys(columnsOf(bytes, { resolution: 100 }))).toEqual(activities[0]?.streams);
    },
  );
});

describe("64 developer fields that replace power", () => {
  const powers = (fields: number, watts: (row: number, field: number) => number) => {
    const file = activityFile();
    for (let field = 0; field < fields; field++) {
      file.fieldDescription(field, `p${field}`, "uint8", [[15, "uint8", 7]]);
    }
    for (let row = 0; row < 120; row++) {
      const developer = Array.from(
        { length: fields },
        (_, field) => [field, 0, "uint8", watts(row, field)] as const,
      );
      file.record(10 * row, [], { developer });
    }
    return decodeOne(file.session([], 1_200).build());
  };

  test("give the power of the first, as if it were alone", () => {
    const watts = (row: number) => 100 + ((row * 37) % 90);
    const alone = powers(1, watts);
    const first = powers(64, (row, field) => (field === 0 ? watts(row) : field));
    expect(first.normalized_power_in_watts).not.toBeNull();
    expect(first.normalized_power_in_watts).toBe(alone.normalized_power_in_watts);
    expect(first.average_power_in_watts).toBe(alone.average_power_in_watts);
    expect(first.work_in_kilojoules).toBe(alone.work_in_kilojoules);
  });

  test("give the power of the first that has readings, however late they begin", () => {
    const late = powers(64, (row, field) => (field === 5 ? (row < 60 ? 0xff : 200) : field > 5 ? 50 : 0xff));
    expect(late.normalized_power_in_watts).toBe(200);
    expect(late.average_power_in_watts).toBe(200);
    expect(late.max_power_in_watts).toBe(200);
    // 59 rows hold for 10 s each and the last one for one second.
    expect(late.work_in_kilojoules).toBe(200 * 591 * 1e-3);
  });

  test("have no effect beside a native power that begins late", () => {
    const file = activityFile().fieldDescription(0, "p", "uint8", [[15, "uint8", 7]]);
    for (let row = 0; row < 100; row++) {
      file.record(row, [[7, "uint16", row < 50 ? 0xffff : 300]], { developer: [[0, 0, "uint8", 90]] });
    }
    const activity = decodeOne(file.session([], 100).build());
    expect(activity.average_power_in_watts).toBe(300);
    expect(activity.normalized_power_in_watts).toBe(300);
    expect(activity.derived).not.toContain("power_in_watts");
  });
});

describe("the streams of all sessions", () => {
  const each = (bytes: Uint8Array, count: number) =>
    Array.from({ length: count }, (_, sessionIndex) =>
      decodeStreams(bytes, { sessionIndex, keys: null, resolution: null, fallbackStartInSeconds: null }),
    );
  test("equal the streams decoded for each session, with records that alternate between 100 sessions", () => {
    const bytes = leapingSessions(MEBIBYTE, 100, 20_000);
    const streams = allStreamsOf(bytes);
    expect(streams).toHaveLength(100);
    expect(streams.reduce((sum, { columns }) => sum + (columns["time_in_seconds"]?.length ?? 0), 0)).toBe(
      decodeActivities(bytes, { fallbackStartInSeconds: null }).ok ? 20_000 : 0,
    );
    expect(streams).toEqual(each(bytes, 100));
  });

  test("equal the streams decoded for each session, over all chained files and for records without a time", () => {
    const timeless = activityFile()
      .record(null, [[3, "uint8", 90]])
      .record(null, [[4, "uint8", 80]]);
    const bytes = concat(ride(50).build(), leapingSessions(4_000, 3), timeless.session([], 10).build());
    expect(allStreamsOf(bytes)).toHaveLength(5);
    expect(allStreamsOf(bytes)).toEqual(each(bytes, 5));
  });

  test("are downsampled together when they exceed the limit of a response", { timeout: 60_000 }, () => {
    const segment = sparseRows(100_000, 1);
    const bytes = concat(...Array.from({ length: 4 }, () => segment));
    const streams = allStreamsOf(bytes);
    const cells = streams.flatMap(({ columns }) => Object.values(columns)).flat().length;
    expect(streams.map(({ downsampled }) => downsampled)).toEqual([true, true, true, true]);
    expect(cells).toBeGreaterThan(100_000);
    expect(cells).toBeLessThanOrEqual(2_000_000);
  });
});

test("A file too large for its activities and all its streams at once gives the streams of one session", () => {
  const bytes = leapingSessions(32 * MEBIBYTE);
  expect(decodeWithData(bytes, { fallbackStartInSeconds: null, most: 0 })).toMatchObject({
    ok: true,
    data: null,
  });
  const one = { sessionIndex: 7, keys: null, resolution: 100, fallbackStartInSeconds: null };
  expect(decodeStreams(bytes, one)?.columns["time_in_seconds"]?.length).toBeGreaterThan(10);
});

test("A day of records every second, with power in 20 developer fields, is read whole", () => {
  const { warnings } = readFirstPass(
    viewOf(sparseRows(8 * MEBIBYTE, 20, { nativeField: 7, rows: 86_400 })),
    new WorkBudget(),
  );
  expect([...warnings]).not.toContain("fit_truncated");
});

describe("downsampling sparse columns", () => {
  const ROWS = 20_000;
  const columns = Array.from({ length: 64 }, (_, column) =>
    Float64Array.from({ length: ROWS }, (_unused, row) =>
      (row * 31) % 64 === column ? (row * 7919 * (column + 3)) % 9_973 : NaN,
    ),
  );
  const isExtreme = (kept: readonly number[]) =>
    columns.every((column) => {
      const known = column.filter((reading) => !Number.isNaN(reading));
      const readings = new Set(kept.map((row) => column[row] ?? NaN));
      return readings.has(Math.max(...known)) && readings.has(Math.min(...known));
    });

  test.each([1_000, 10_000, 19_000, 19_999])(
    "to %i rows keeps all extremes and uses at least half of the rows",
    (limit) => {
      const kept = extremes(columns, ROWS, limit);
      expect(kept.length).toBeLessThanOrEqual(limit);
      expect(kept.length).toBeGreaterThan(limit / 2);
      expect(isExtreme(kept)).toBe(true);
    },
  );

  test("in one round keeps all extremes as well", () => {
    const kept = fewerExtremes(columns, ROWS, 5_000);
    expect(kept.length).toBeLessThanOrEqual(5_000);
    expect(isExtreme(kept)).toBe(true);
  });
});

describe("the window of a time", () => {
  const times = fc.integer({ min: 0, max: 60 });
  const spans = fc.array(fc.tuple(times, fc.option(fc.integer({ min: 0, max: 20 }))), {
    minLength: 2,
    maxLength: 8,
  });

  test("is the nearest one, and of several the one that starts last, for times in any order", () => {
    fc.assert(
      fc.property(spans, fc.array(times, { maxLength: 40 }), (found, asked) => {
        const windows: SessionWindow[] = found.map(([start, elapsed]) => ({
          session: {},
          hasSession: true,
          start,
          startIsRecorded: true,
          end: start + (elapsed ?? Infinity),
          elapsed: elapsed ?? undefined,
          timer: undefined,
          elapsedWasTooShort: false,
        }));
        const find = windowFinder(windows);
        for (const time of asked) {
          const distances = windows.map(({ start, end }) => Math.max(start - time, time - end, 0));
          const nearest = Math.min(...distances);
          const near = windows.filter((_, i) => distances[i] === nearest);
          const latest = Math.max(...near.map(({ start }) => start));
          expect(distances[find(time)]).toBe(nearest);
          expect(windows[find(time)]?.start).toBe(latest);
          expect(find(NaN)).toBe(find(time));
        }
      }),
      { numRuns: 500 },
    );
  });
});
