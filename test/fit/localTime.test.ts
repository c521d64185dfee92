import { describe, expect, test } from "vitest";
import { localTimeOf } from "../../src/fit/localTime.ts";
import { decode, decodeOne } from "../support/fitDecode.ts";
import { activityFile, FitBuilder, T0, type Field } from "../support/fitBuilder.ts";

const at = (iso: string) => Date.parse(iso) / 1000;
const SEMICIRCLES = 2 ** 31 / 180;
const startAt = (latitude: number, longitude: number): Field[] => [
  [3, "sint32", Math.round(latitude * SEMICIRCLES)],
  [4, "sint32", Math.round(longitude * SEMICIRCLES)],
];
const BERLIN = [52.52, 13.4] as const;

describe("without an offset in the file, the zone at the position gives", () => {
  test.each<[string, readonly [number, number], string, string, number, string]>([
    ["winter in Berlin", BERLIN, "2026-01-10T23:30:00Z", "Europe/Berlin", 3600, "2026-01-11"],
    ["summer in Berlin", BERLIN, "2026-07-10T21:59:59Z", "Europe/Berlin", 7200, "2026-07-10"],
    [
      "the second before the change to summer",
      BERLIN,
      "2026-03-29T00:59:59Z",
      "Europe/Berlin",
      3600,
      "2026-03-29",
    ],
    ["the change to summer", BERLIN, "2026-03-29T01:00:00Z", "Europe/Berlin", 7200, "2026-03-29"],
    [
      "the second before the change to winter",
      BERLIN,
      "2026-10-25T00:59:59Z",
      "Europe/Berlin",
      7200,
      "2026-10-25",
    ],
    ["the change to winter", BERLIN, "2026-10-25T01:00:00Z", "Europe/Berlin", 3600, "2026-10-25"],
    [
      "an hour and a half behind",
      [47.56, -52.71],
      "2026-07-01T02:00:00Z",
      "America/St_Johns",
      -9000,
      "2026-06-30",
    ],
    ["a half hour", [19.07, 72.87], "2026-07-01T20:00:00Z", "Asia/Kolkata", 19_800, "2026-07-02"],
    ["45 minutes", [27.7, 85.32], "2026-07-01T20:00:00Z", "Asia/Kathmandu", 20_700, "2026-07-02"],
    [
      "45 minutes and summer time",
      [-43.95, -176.55],
      "2026-01-01T10:00:00Z",
      "Pacific/Chatham",
      49_500,
      "2026-01-01",
    ],
    ["the sea", [30, -40], "2026-07-01T02:00:00Z", "Etc/GMT+3", -10_800, "2026-06-30"],
    ["the sea at 180° east", [30, 180], "2026-07-01T20:00:00Z", "Etc/GMT-12", 43_200, "2026-07-02"],
    ["the sea at 180° west", [30, -180], "2026-07-01T02:00:00Z", "Etc/GMT+12", -43_200, "2026-06-30"],
    [
      "an island east of the date line",
      [-21.13, -175.2],
      "2026-07-01T20:00:00Z",
      "Pacific/Tongatapu",
      46_800,
      "2026-07-02",
    ],
    ["the north pole", [90, 12], "2026-07-01T20:00:00Z", "Etc/GMT", 0, "2026-07-01"],
  ])("the local date: %s", (_, position, start, time_zone, utc_offset_in_seconds, local_date) => {
    expect(localTimeOf({ start: at(start), device: null, position })).toEqual({
      utc_offset_in_seconds,
      offset_source: "position",
      time_zone,
      local_date,
    });
  });

  test("nothing at a place that does not exist", () => {
    for (const position of [
      [91, 0],
      [0, 181],
      [Infinity, 0],
    ] as const) {
      expect(localTimeOf({ start: at("2026-07-01T20:00:00Z"), device: null, position })).toEqual({
        utc_offset_in_seconds: null,
        offset_source: null,
        time_zone: null,
        local_date: null,
      });
    }
  });
});

describe("the device's offset", () => {
  const start = at("2026-07-01T22:30:00Z");
  const localTime = (offset: number, stated = start) =>
    localTimeOf({ start, device: { offset, at: stated }, position: BERLIN });

  test("stands, with the zone at the position if it is the zone's", () => {
    expect(localTime(7200)).toEqual({
      utc_offset_in_seconds: 7200,
      offset_source: "device",
      time_zone: "Europe/Berlin",
      local_date: "2026-07-02",
    });
  });

  test("stands without a zone if the zone has another offset", () => {
    expect(localTime(0)).toMatchObject({
      utc_offset_in_seconds: 0,
      offset_source: "device",
      time_zone: null,
      local_date: "2026-07-01",
    });
  });

  test("is compared at the time for which the device states it", () => {
    const inWinter = at("2026-10-25T01:30:00Z");
    expect(localTime(3600, inWinter).time_zone).toBe("Europe/Berlin");
  });
});

describe("in a file", () => {
  test("the position of the session's start decides", () => {
    expect(
      decodeOne(
        activityFile()
          .session(startAt(...BERLIN))
          .build(),
      ),
    ).toMatchObject({
      utc_offset_in_seconds: 7200,
      offset_source: "position",
      time_zone: "Europe/Berlin",
      local_date: "2021-09-08",
    });
  });

  test("a device's offset has priority", () => {
    const bytes = activityFile()
      .session(startAt(...BERLIN))
      .message(34, [
        [253, "uint32", T0 + 600],
        [5, "uint32", T0 + 600 - 7200],
      ])
      .build();
    expect(decodeOne(bytes)).toMatchObject({
      utc_offset_in_seconds: -7200,
      offset_source: "device",
      time_zone: null,
      local_date: "2021-09-07",
    });
  });

  test("a session without a position was where the others were", () => {
    const bytes = activityFile()
      .session([], 300)
      .session(startAt(...BERLIN), 300)
      .build();
    const zones = decode(bytes).activities.map(({ time_zone }) => time_zone);
    expect(zones).toEqual(["Europe/Berlin", "Europe/Berlin"]);
  });

  test.each<[string, FitBuilder]>([
    ["0° 0°, where receivers are before a fix", activityFile().session(startAt(0, 0))],
    ["a virtual ride", activityFile().session([...startAt(...BERLIN), [6, "enum", 58]])],
    [
      "a ride in Zwift",
      new FitBuilder()
        .message(0, [
          [0, "enum", 4],
          [1, "uint16", 260],
        ])
        .session(startAt(...BERLIN)),
    ],
    ["no position", activityFile().session()],
  ])("%s gives no local time", (_, file) => {
    expect(decodeOne(file.build())).toMatchObject({
      utc_offset_in_seconds: null,
      offset_source: null,
      time_zone: null,
      local_date: null,
    });
  });
});
