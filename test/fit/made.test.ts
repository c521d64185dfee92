import { describe, expect, test } from "vitest";
import { decodeActivities, decodeStreams, type FitWarning } from "../../src/fit/index.ts";
import { columnsOf, decode, decodeOne, problemOf } from "../support/fitDecode.ts";
import { folderExists, madeFolder, readBytes } from "../support/fitFolders.ts";

/** Small synthetic files with one fault each. RIGHT.md in their folder has the right values. */
const found = folderExists(madeFolder);
const read = (name: string) => readBytes(madeFolder, `${name}.fit`);
const HEART_RATE = "heart_rate_in_beats_per_minute";
const seconds = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i);
const times = (count: number, value: number) => Array.from({ length: count }, () => value);

function expectNumbered(name: string, warnings: FitWarning[]): void {
  const bytes = read(name);
  expect(decode(bytes).warnings).toEqual(warnings);
  expect(decodeOne(bytes)).toMatchObject({
    sport: "cycling",
    start_time_in_seconds: 1_631_065_600,
    elapsed_time_in_seconds: 600,
    distance_in_meters: 1000,
    average_heart_rate_in_beats_per_minute: 140,
    max_heart_rate_in_beats_per_minute: 170,
  });
  const columns = columnsOf(bytes);
  expect(columns["time_in_seconds"]).toEqual(seconds(10));
  expect(columns[HEART_RATE]).toEqual(seconds(10, 120));
  expect(columns["power_in_watts"]).toEqual(seconds(10, 200));
  expect(columns["distance_in_meters"]).toEqual(seconds(10).map((i) => 5 * i));
  expect(columns["latitude_in_degrees"]?.every((degrees) => Math.abs((degrees ?? 0) - 41.91) < 0.01)).toBe(
    true,
  );
  expect(columns["longitude_in_degrees"]?.every((degrees) => Math.abs((degrees ?? 0) - 8.38) < 0.01)).toBe(
    true,
  );
}

function expectMade(name: string, warnings: FitWarning[]): void {
  const bytes = read(name);
  expect(decode(bytes).warnings).toEqual(warnings);
  expect(decodeOne(bytes)).toMatchObject({
    sport: "running",
    start_time_in_seconds: 1_731_065_600,
    elapsed_time_in_seconds: 3,
    timer_time_in_seconds: 2,
    utc_offset_in_seconds: 7200,
  });
  expect(columnsOf(bytes)[HEART_RATE]).toEqual([120, 121, 122]);
}

describe.skipIf(!found)("every synthetic file", () => {
  test.each<[string, FitWarning[]]>([
    ["00-good", []],
    ["19-header-12", []],
    ["20-header-16", []],
    ["40-invalid-utf8-string", []],
    ["55-uint32-size1", []],
    ["09-crc-bad", ["fit_crc_mismatch"]],
    ["10-no-crc", ["fit_truncated"]],
    ["16-truncated-1byte", ["fit_truncated"]],
    ["11-size-0-header", ["fit_truncated"]],
    ["12-size-too-big", ["fit_truncated"]],
    ["13-size-ffffffff", ["fit_truncated"]],
    ["18-trailing-zeros", ["fit_trailing_bytes"]],
  ])("%s is read completely, with the warnings %j", expectNumbered);

  test.each<[string, FitWarning[]]>([
    ["made-ok", []],
    ["made-hcrc0", []],
    ["made-trailing", ["fit_trailing_bytes"]],
  ])("%s is read completely, with the warnings %j", expectMade);

  test.each([
    ["01-empty", "not_fit"],
    ["03-header-only", "no_activity_data"],
    ["04-text", "not_fit"],
    ["05-gzip-of-fit", "not_fit"],
    ["07-random-20k", "not_fit"],
    ["08-random-with-header", "no_activity_data"],
    ["44-data-before-definition", "no_activity_data"],
    ["made-fileid_only", "no_activity_data"],
    ["made-monitoring_type", "not_an_activity"],
  ])("%s is %s", (name, code) => {
    expect(problemOf(read(name))).toBe(code);
  });

  test("04-text looks like GPX", () => {
    const result = decodeActivities(read("04-text"), { fallbackStartInSeconds: null });
    expect(result).toMatchObject({ ok: false, problem: { detail: expect.stringContaining("GPX") } });
  });

  test.each([
    ["14-truncated-half", 6],
    ["made-truncated", 3],
  ])("%s gives %i records and an activity derived from them", (name, records) => {
    const bytes = read(name);
    expect(decode(bytes).warnings).toEqual(["fit_truncated"]);
    expect(columnsOf(bytes)[HEART_RATE]).toEqual(seconds(records, 120));
    expect(decodeOne(bytes).derived).toContain("elapsed_time_in_seconds");
  });

  test("17-chained-2 is two activities", () => {
    expect(decode(read("17-chained-2")).activities).toHaveLength(2);
  });

  test("made-chained loses no record", () => {
    const bytes = read("made-chained");
    const readings = decode(bytes).activities.flatMap(
      (_, sessionIndex) => columnsOf(bytes, { sessionIndex })[HEART_RATE] ?? [],
    );
    expect(readings).toEqual([120, 121, 122, 120, 121, 122]);
  });

  test("22-big-endian", () => {
    const columns = columnsOf(read("22-big-endian"));
    expect(columns[HEART_RATE]).toEqual(times(5, 120));
    expect(columns["power_in_watts"]).toEqual(times(5, 250));
  });

  test("compressed timestamps roll over", () => {
    expect(columnsOf(read("23-compressed-ts"))["time_in_seconds"]).toEqual(seconds(41));
    expect(columnsOf(read("made-compressed"))["time_in_seconds"]).toEqual([0, 30, 31, 32, 33, 37]);
  });

  test.each<[string, Record<string, number[]>]>([
    ["25-hr-uint16", { [HEART_RATE]: times(5, 150), distance_in_meters: [0, 5, 10, 15, 20] }],
    ["28-distance-float32", { distance_in_meters: [0, 5, 10, 15, 20] }],
    ["30-unknown-base-type", { [HEART_RATE]: times(5, 140) }],
    ["31-size-not-multiple", { [HEART_RATE]: times(5, 140) }],
    ["37-cycles-total_cycles", { [HEART_RATE]: times(5, 140) }],
    [
      "39-compressed-speed-distance",
      { distance_in_meters: seconds(40, 1).map((i) => 10 * i), speed_in_meters_per_second: times(40, 10) },
    ],
    ["43-records-no-timestamp", { [HEART_RATE]: times(5, 140) }],
    [
      "49-altitude-only-component",
      { altitude_in_meters: times(5, 100), speed_in_meters_per_second: times(5, 5) },
    ],
    [
      "54-split-records",
      { power_in_watts: times(5, 200), [HEART_RATE]: times(5, 140), distance_in_meters: [0, 5, 10, 15, 20] },
    ],
  ])("%s", (name, columns) => {
    expect(columnsOf(read(name))).toMatchObject(columns);
    expect(decodeOne(read(name)).start_time_in_seconds).toBe(1_631_065_600);
  });

  test.each(["__proto__", "heart_rate", "timestamp"])("32-dev-named-%s overwrites nothing", (name) => {
    const columns = columnsOf(read(`32-dev-named-${name}`));
    expect(columns[HEART_RATE]).toEqual(times(5, 140));
    expect(columns["time_in_seconds"]).toEqual(seconds(5));
    expect(Object.entries(columns).find(([key]) => key === `developer.${name}`)?.[1]).toEqual(times(5, 9.5));
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });

  test("42-system-time-timestamps starts with its session, never in 1990", () => {
    const bytes = read("42-system-time-timestamps");
    expect(decode(bytes).warnings).toEqual(["clock_not_set"]);
    expect(decodeOne(bytes).start_time_in_seconds).toBe(1_631_065_600);
    expect(columnsOf(bytes)["time_in_seconds"]).toEqual(seconds(5));
  });

  test("46-redefine-local keeps 10 records on 5 instants and the lap between them", () => {
    const bytes = read("46-redefine-local");
    expect(decode(bytes).warnings).toEqual([]);
    const { time_in_seconds: time } = columnsOf(bytes);
    expect(time).toHaveLength(10);
    expect(new Set(time).size).toBe(5);
    expect(decodeOne(bytes).laps.map((lap) => lap.distance_in_meters)).toEqual([123.45]);
  });

  test.each(["60-bomb-0field-record-1MB", "61-bomb-255-zero-size-fields-256KB"])(
    "%s has no activity data",
    (name) => {
      expect(problemOf(read(name))).toBe("no_activity_data");
      expect(
        decodeStreams(read(name), {
          sessionIndex: 0,
          keys: null,
          resolution: null,
          fallbackStartInSeconds: null,
        }),
      ).toBeNull();
    },
  );

  test("made-no_session is one derived activity of 3 records", () => {
    expect(decodeOne(read("made-no_session"))).toMatchObject({
      elapsed_time_in_seconds: 2,
      max_heart_rate_in_beats_per_minute: 122,
    });
    expect(columnsOf(read("made-no_session"))[HEART_RATE]).toHaveLength(3);
  });

  test("made-no_records keeps the session's summary", () => {
    expect(decodeOne(read("made-no_records"))).toMatchObject({ elapsed_time_in_seconds: 3, streams: [] });
    expect(columnsOf(read("made-no_records"))).toEqual({});
  });

  test("made-brick_summary_last is three activities of 3 records each", () => {
    const bytes = read("made-brick_summary_last");
    expect(
      decode(bytes).activities.map(({ sport, elapsed_time_in_seconds: elapsed }) => [sport, elapsed]),
    ).toEqual([
      ["cycling", 3],
      ["transition", 3],
      ["running", 3],
    ]);
    expect([0, 1, 2].map((sessionIndex) => columnsOf(bytes, { sessionIndex })[HEART_RATE])).toEqual([
      [100, 101, 102],
      [103, 104, 105],
      [106, 107, 108],
    ]);
  });

  test("made-time_jump lasts as long as its session says", () => {
    expect(decode(read("made-time_jump")).warnings).toEqual(["clock_jump"]);
    expect(decodeOne(read("made-time_jump")).elapsed_time_in_seconds).toBe(3);
  });

  test("made-lts_zero has no offset", () => {
    expect(decodeOne(read("made-lts_zero")).utc_offset_in_seconds).toBeNull();
  });
});
