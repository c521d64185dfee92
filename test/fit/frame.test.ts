import { describe, expect, test } from "vitest";
import { decodeActivities, looksLikeFit } from "../../src/fit/index.ts";
import { columnsOf, decode, decodeOne, problemOf } from "../support/fitDecode.ts";
import { activityFile, concat, FitBuilder, T0, type FileOptions } from "../support/fitBuilder.ts";

const ride = () => {
  const file = activityFile();
  for (let second = 0; second < 5; second++) {
    file.record(second, [
      [3, "uint8", 140 + second],
      [7, "uint16", 200],
    ]);
  }
  return file.session();
};
const heartRates = [140, 141, 142, 143, 144];
const heartRatesOf = (bytes: Uint8Array, sessionIndex = 0) =>
  columnsOf(bytes, { sessionIndex })["heart_rate_in_beats_per_minute"];

describe("the envelope of a file", () => {
  test.each<[string, FileOptions]>([
    ["a header of 12 bytes", { headerSize: 12 }],
    ["a header of 14 bytes", { headerSize: 14 }],
    ["a longer header", { headerSize: 20 }],
    ["a header CRC of 0", { headerCrc: "zero" }],
  ])("%s is read without a warning", (_, options) => {
    const bytes = ride().build(options);
    expect(decode(bytes).warnings).toEqual([]);
    expect(heartRatesOf(bytes)).toEqual(heartRates);
  });

  test.each<[string, FileOptions]>([
    ["a wrong file CRC", { crc: "wrong" }],
    ["a wrong header CRC", { headerCrc: "wrong" }],
  ])("%s only gives a warning", (_, options) => {
    const bytes = ride().build(options);
    expect(decode(bytes).warnings).toEqual(["fit_crc_mismatch"]);
    expect(heartRatesOf(bytes)).toEqual(heartRates);
  });

  test("a changed bit anywhere in a long file gives a warning, and an unchanged file of any length none", () => {
    const file = activityFile();
    for (let second = 0; second < 4_000; second++) {
      file.record(second, [[3, "uint8", 60 + ((second * 7919) % 100)]]);
      if (second < 100) expect(decode(file.build()).warnings).toEqual([]);
    }
    const bytes = file.session().build();
    expect(decode(bytes).warnings).toEqual([]);
    for (let at = 100; at < bytes.length; at += 1_999) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      expect([at, decode(changed).warnings.includes("fit_crc_mismatch")]).toEqual([at, true]);
    }
  });

  test.each<[string, FileOptions]>([
    ["a data size of 0", { dataSize: 0 }],
    ["a data size that is too large", { dataSize: 100_000 }],
    ["a data size of all ones", { dataSize: 0xffffffff }],
    ["a missing CRC", { crc: "none" }],
  ])("%s loses no message", (_, options) => {
    const bytes = ride().build(options);
    expect(decode(bytes).warnings).toEqual(["fit_truncated"]);
    expect(heartRatesOf(bytes)).toEqual(heartRates);
    expect(decodeOne(bytes).elapsed_time_in_seconds).toBe(600);
  });

  test("the CRC of a file with a wrong size is not read as a message", () => {
    // Messages of local number 0 have one byte, so the two bytes of a CRC could look like a record.
    for (let seed = 0; seed < 300; seed++) {
      const file = activityFile().record(seed, [[3, "uint8", 140]]);
      file.message(20, [[3, "uint8", 150]], { local: 0 });
      expect(heartRatesOf(file.build({ dataSize: 0 }))).toEqual([140, 150]);
    }
  });

  test("a cut file keeps every whole message before the cut", () => {
    const bytes = ride().build();
    const cut = bytes.subarray(0, bytes.length - 60);
    expect(decode(cut).warnings).toEqual(["fit_truncated"]);
    const readings = heartRatesOf(cut) ?? [];
    expect(readings.length).toBeGreaterThan(0);
    expect(heartRates.slice(0, readings.length)).toEqual(readings);
  });

  test("trailing bytes are ignored with a warning", () => {
    const bytes = concat(ride().build(), new Uint8Array(64));
    expect(decode(bytes).warnings).toEqual(["fit_trailing_bytes"]);
    expect(heartRatesOf(bytes)).toEqual(heartRates);
  });

  test.each([
    ["an undefined local message", [0x0d, 1, 2, 3]],
    ["a definition beyond the end", [0x4f, 0, 0, 20, 0, 200]],
  ])("Everything before %s is kept", (_, stray) => {
    const bytes = ride()
      .raw(...stray)
      .build();
    expect(decode(bytes).warnings).toEqual(["fit_truncated"]);
    expect(heartRatesOf(bytes)).toEqual(heartRates);
  });

  test("a local number may change its meaning", () => {
    const bytes = activityFile()
      .record(0, [[3, "uint8", 120]])
      .message(19, [[9, "uint32", 12_345]], { local: 1 })
      .record(1, [[3, "uint8", 121]])
      .session()
      .build();
    expect(heartRatesOf(bytes)).toEqual([120, 121]);
    expect(decodeOne(bytes).laps.map((lap) => lap.distance_in_meters)).toEqual([123.45]);
  });

  test("one file may use both byte orders", () => {
    const bytes = activityFile()
      .record(0, [[7, "uint16", 250]], { bigEndian: true })
      .record(1, [[7, "uint16", 251]])
      .build();
    expect(columnsOf(bytes)["power_in_watts"]).toEqual([250, 251]);
  });
});

describe("chained files", () => {
  test("the activities of all chained files are returned in order", () => {
    const bytes = concat(
      ride().build(),
      ride()
        .session([[5, "enum", 1]])
        .build(),
    );
    const { activities, warnings } = decode(bytes);
    expect(warnings).toEqual([]);
    expect(
      activities.map(({ sport, session_index, session_count }) => [sport, session_index, session_count]),
    ).toEqual([
      ["cycling", 0, 3],
      ["cycling", 1, 3],
      ["running", 2, 3],
    ]);
    expect(heartRatesOf(bytes, 0)).toEqual(heartRates);
  });

  test("each chained file has its own definitions", () => {
    const second = new FitBuilder().raw(0x01, 1, 2, 3, 4).build();
    const { activities, warnings } = decode(concat(ride().build(), second));
    expect(activities).toHaveLength(1);
    expect(warnings).toEqual(["fit_segment_unreadable"]);
  });

  test("a truncated chained file does not affect the one before it", () => {
    const second = ride().build();
    const bytes = concat(ride().build(), second.subarray(0, second.length - 40));
    const { activities, warnings } = decode(bytes);
    expect(warnings).toEqual(["fit_truncated"]);
    expect(activities[0]?.elapsed_time_in_seconds).toBe(600);
    expect(heartRatesOf(bytes, 0)).toEqual(heartRates);
  });

  test("a chained file with a data size of 0 does not include the next one", () => {
    const bytes = concat(ride().build({ dataSize: 0 }), ride().build());
    const { activities, warnings } = decode(bytes);
    expect(activities).toHaveLength(2);
    expect(warnings).toEqual(["fit_truncated"]);
  });

  test("settings after an activity add nothing", () => {
    const settings = new FitBuilder()
      .fileId(2)
      .message(3, [[4, "uint16", 700]])
      .build();
    expect(decode(concat(ride().build(), settings)).activities).toHaveLength(1);
  });
});

describe("files without an activity", () => {
  test("another file type without a session is not an activity, even with records", () => {
    const course = new FitBuilder()
      .fileId(6)
      .record(0, [[3, "uint8", 140]])
      .build();
    expect(problemOf(course)).toBe("not_an_activity");
  });

  test("another file type with a session is read", () => {
    expect(problemOf(new FitBuilder().fileId(6).session().build())).toBeNull();
  });

  test("neither session nor record is no activity data", () => {
    expect(problemOf(activityFile().build())).toBe("no_activity_data");
    expect(problemOf(new FitBuilder().build())).toBe("no_activity_data");
  });

  test("data before any definition is no activity data", () => {
    expect(problemOf(new FitBuilder().raw(0x01, 1, 2, 3).fileId().build())).toBe("no_activity_data");
  });

  test.each([
    ['<?xml version="1.0"?><gpx version="1.1">', "GPX"],
    ["\ufeff<?xml?>\n<TrainingCenterDatabase xmlns=", "TCX"],
    ["<!DOCTYPE html><html><body>login", "HTML"],
    ['{"error": "expired"}', "JSON"],
    ["<?xml?><kml xmlns=", "KML"],
    ["<workout_file><name>", "XML"],
    ["time,power\n0,200\n1,210\n", "text"],
    ["%PDF-1.7\n%\u00e2\u00e3\u00cf\u00d3", "PDF"],
  ])("%j is not FIT, and the detail says what it looks like", (content, looksLike) => {
    const result = decodeActivities(new TextEncoder().encode(content), { fallbackStartInSeconds: null });
    expect(result).toMatchObject({ ok: false, problem: { code: "not_fit" } });
    expect(result.ok ? "" : result.problem.detail).toContain(looksLike);
  });

  test.each([
    ["nothing", new Uint8Array(0)],
    ["a marker without its header", Uint8Array.of(0x2e, 0x46, 0x49, 0x54)],
    ["bytes of no format", Uint8Array.from({ length: 500 }, (_, i) => (i * 151) & 0xff)],
  ])("%s is not FIT", (_, bytes) => {
    expect(problemOf(bytes)).toBe("not_fit");
    expect(looksLikeFit(bytes)).toBe(false);
  });

  test("a file is recognised by its marker at byte 8, not by its header size", () => {
    const bytes = activityFile()
      .record(0, [[3, "uint8", 140]])
      .build();
    expect(looksLikeFit(bytes)).toBe(true);
    bytes[0] = 3;
    expect(looksLikeFit(bytes)).toBe(true);
    expect(heartRatesOf(bytes)).toEqual([140]);
  });

  test("a view on a larger buffer is read like a copy of it", () => {
    const file = ride().build();
    const larger = concat(new Uint8Array(7), file, new Uint8Array(9));
    const inside = larger.subarray(7, 7 + file.length);
    expect(decode(inside)).toEqual(decode(file));
    expect(decodeOne(inside).start_time_in_seconds).toBe(T0 + 631_065_600);
  });
});
