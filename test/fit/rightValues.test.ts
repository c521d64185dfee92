import { describe, expect, test } from "vitest";
import { columnsOf, decode, decodeOne } from "../support/fitDecode.ts";
import { folderExists, readBytes, valuesFolder } from "../support/fitFolders.ts";

/** Small synthetic files with values that decoders get wrong. RIGHT.md in their folder has the right values. */
const found = folderExists(valuesFolder);
const read = (name: string) => readBytes(valuesFolder, `${name}.fit`);
const HEART_RATE = "heart_rate_in_beats_per_minute";

describe.skipIf(!found)("every synthetic file with right values", () => {
  test("01-moving-time-of-a-pool-swim", () => {
    expect(decodeOne(read("01-moving-time-of-a-pool-swim")).moving_time_in_seconds).toBe(300);
  });

  test("02-moving-time-and-work-smart-recording-15s", () => {
    expect(decodeOne(read("02-moving-time-and-work-smart-recording-15s"))).toMatchObject({
      moving_time_in_seconds: 300,
      work_in_kilojoules: 60,
    });
  });

  test("04-rows-depend-on-keys", () => {
    const bytes = read("04-rows-depend-on-keys");
    const readings = {
      time_in_seconds: [null, null, null, null],
      [HEART_RATE]: [null, 140, null, 141],
      power_in_watts: [200, 210, 220, 230],
    };
    expect(columnsOf(bytes)).toEqual(readings);
    for (const [key, column] of Object.entries(readings)) {
      expect(columnsOf(bytes, { keys: [key] })).toEqual({ [key]: column });
    }
  });

  test("05-developer-speed-in-km-per-hour", () => {
    const bytes = read("05-developer-speed-in-km-per-hour");
    expect(columnsOf(bytes)).toMatchObject({
      speed_in_meters_per_second: [3.5, 3.5, 3.5, 3.5],
      "developer.Speed": [12.6, 12.6, 12.6, 12.6],
    });
    expect(decodeOne(bytes).max_speed_in_meters_per_second).toBe(3.5);
  });

  test("06-developer-index-registered-again", () => {
    expect(columnsOf(read("06-developer-index-registered-again"))).toMatchObject({
      "developer.core_temperature": [37.5, 37.6, null, null],
      "developer.StrokeLength": [null, null, 1.25, 1.5],
    });
  });

  test("08-duplicate-field-last-value-stands", () => {
    expect(decodeOne(read("08-duplicate-field-last-value-stands")).laps[0]?.distance_in_meters).toBe(50);
  });

  test("09-one-record-far-ahead", () => {
    const bytes = read("09-one-record-far-ahead");
    expect(columnsOf(bytes)["time_in_seconds"]).toEqual([0, 1, 2, 3, 3, 5, 6, 7, 8, 9, 10, 11]);
    expect(decode(bytes).warnings).toEqual(["clock_jump"]);
  });

  test("11-timer-counted-over-the-legs", () => {
    const { activities } = decode(read("11-timer-counted-over-the-legs"));
    for (const activity of activities) {
      expect(activity).toMatchObject({
        elapsed_time_in_seconds: 100,
        timer_time_in_seconds: 100,
        average_speed_in_meters_per_second: 5,
      });
    }
    expect(activities).toHaveLength(3);
  });

  test("13-ascent-of-ten-hills-of-5-m", () => {
    expect(decodeOne(read("13-ascent-of-ten-hills-of-5-m"))).toMatchObject({
      ascent_in_meters: 50,
      descent_in_meters: 50,
    });
  });

  test("15-lap-without-start", () => {
    const { laps, derived } = decodeOne(read("15-lap-without-start"));
    expect(laps.map((lap) => lap.start_time_in_seconds)).toEqual([1_731_065_600, 1_731_065_630]);
    expect(derived).toContain("laps.start_time_in_seconds");
  });

  test("16-hr-messages-beside-wrist-readings", () => {
    expect(columnsOf(read("16-hr-messages-beside-wrist-readings"))[HEART_RATE]).toEqual([130, 131, 132, 133]);
  });

  test("dev-redefined", () => {
    expect(columnsOf(read("dev-redefined"))).toEqual({
      time_in_seconds: [0, 1, 2, 3],
      [HEART_RATE]: [140, 140, 140, 140],
      power_in_watts: [null, null, 252, 253],
      "developer.SmO2": [60, 61, null, null],
      "developer.Power": [null, null, 252, 253],
    });
  });

  test("lap-sport-only", () => {
    expect(decodeOne(read("lap-sport-only"))).toMatchObject({
      sport: "running",
      sub_sport: "treadmill",
      average_steps_per_minute: 160,
    });
  });

  test("dev-string-array", () => {
    expect(columnsOf(read("dev-string-array"))).toEqual({
      time_in_seconds: [0, 1, 2],
      [HEART_RATE]: [140, 141, 142],
      "developer.zones": [1, 2, 3],
      "developer.zones.0": [1, 2, 3],
      "developer.zones.1": [2, 2, 2],
      "developer.zones.2": [3, 3, 3],
      "developer.vo2": [41.5, 42.5, 43.5],
    });
  });

  test("subsecond-records", () => {
    const bytes = read("subsecond-records");
    expect(columnsOf(bytes)).toMatchObject({
      time_in_seconds: [0, 1, 2],
      [HEART_RATE]: [120, 122, 124],
      power_in_watts: [200, 210, 220],
    });
    expect(decodeOne(bytes).distance_in_meters).toBe(5);
  });
});
