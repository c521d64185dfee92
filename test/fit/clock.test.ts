import { describe, expect, test } from "vitest";
import { columnsOf, decode, decodeOne } from "../support/fitDecode.ts";
import { activityFile, T0, T0_UNIX, type Field } from "../support/fitBuilder.ts";

const PING_START = 1_700_000_000;
const heartRate: Field = [3, "uint8", 140];

/** Records at 485, 486, 487 s since power-on, optionally a session that starts at 485, an activity message. */
function neverSet(options: { session?: boolean; activity?: readonly Field[] } = {}): Uint8Array {
  const file = activityFile();
  for (let i = 0; i < 3; i++) file.message(20, [[253, "uint32", 485 + i], heartRate], { local: 1 });
  if (options.session === true) {
    file.session([
      [2, "uint32", 485],
      [253, "uint32", 1085],
    ]);
  }
  if (options.activity !== undefined) file.message(34, options.activity);
  return file.build();
}

describe("a clock that was never set", () => {
  test("never results in a start in 1989 or 1990", () => {
    for (const session of [true, false]) {
      expect(decodeOne(neverSet({ session })).start_time_in_seconds).toBeNull();
      expect(decodeOne(neverSet({ session }), PING_START).start_time_in_seconds).toBe(PING_START);
      expect(decode(neverSet({ session })).warnings).toEqual(["clock_not_set"]);
    }
  });

  test("takes its start from the activity's local time before the ping's", () => {
    const activity: Field[] = [
      [253, "uint32", 1085],
      [5, "uint32", T0],
    ];
    const bytes = neverSet({ session: true, activity });
    expect(decodeOne(bytes, PING_START).start_time_in_seconds).toBe(T0_UNIX - 600);
    expect(decodeOne(bytes).utc_offset_in_seconds).toBeNull();
  });

  test("still gives the time since the start", () => {
    expect(columnsOf(neverSet({ session: true }))["time_in_seconds"]).toEqual([0, 1, 2]);
    expect(columnsOf(neverSet())["time_in_seconds"]).toEqual([0, 1, 2]);
  });

  test("uses the start of a session that has a date", () => {
    const file = activityFile();
    for (let i = 0; i < 3; i++) file.message(20, [[253, "uint32", 485 + i], heartRate], { local: 1 });
    const bytes = file.session().build();
    expect(decodeOne(bytes, PING_START).start_time_in_seconds).toBe(T0_UNIX);
    expect(columnsOf(bytes)["time_in_seconds"]).toEqual([0, 1, 2]);
    expect(decode(bytes).warnings).toEqual(["clock_not_set"]);
  });

  test("follows from the first record after the clock was set", () => {
    const file = activityFile();
    for (let i = 0; i < 3; i++) file.message(20, [[253, "uint32", 485 + i], heartRate], { local: 1 });
    for (let i = 0; i < 3; i++) file.record(i, [heartRate]);
    const bytes = file.build();
    expect(decodeOne(bytes).start_time_in_seconds).toBe(T0_UNIX - 2);
    expect(columnsOf(bytes)["time_in_seconds"]).toEqual([0, 1, 2, 2, 3, 4]);
  });

  test("places laps and lengths on the same timeline", () => {
    const file = activityFile()
      .lap([[2, "uint32", 485]])
      .length([[2, "uint32", 500]]);
    const bytes = file
      .session([
        [2, "uint32", 485],
        [253, "uint32", 1085],
      ])
      .build();
    const activity = decodeOne(bytes, PING_START);
    expect(activity.laps[0]?.start_time_in_seconds).toBe(PING_START);
    expect(activity.lengths[0]?.start_time_in_seconds).toBe(PING_START + 15);
  });
});

test("A session start of 0 among records with dates is replaced by the first record's time", () => {
  const bytes = activityFile()
    .record(0, [heartRate])
    .record(1, [heartRate])
    .session([[2, "uint32", 0]])
    .build();
  expect(decode(bytes).warnings).toEqual([]);
  expect(decodeOne(bytes).start_time_in_seconds).toBe(T0_UNIX);
  expect(columnsOf(bytes)["time_in_seconds"]).toEqual([0, 1]);
});

describe("no time anywhere", () => {
  const bytes = activityFile()
    .record(null, [heartRate])
    .record(null, [heartRate])
    .message(18, [[5, "enum", 2]], { local: 2 })
    .build();

  test("the ping's start is used, with a warning", () => {
    expect(decodeOne(bytes, PING_START).start_time_in_seconds).toBe(PING_START);
    expect(decodeOne(bytes).start_time_in_seconds).toBeNull();
    expect(decode(bytes).warnings).toEqual(["clock_not_set"]);
  });

  test("records without a timestamp are never merged and have no time", () => {
    expect(columnsOf(bytes)).toEqual({
      time_in_seconds: [null, null],
      heart_rate_in_beats_per_minute: [140, 140],
    });
  });
});

describe("compressed timestamps", () => {
  test("follow the last full timestamp through the roll-over", () => {
    const file = activityFile().record(0, [heartRate]);
    // T0 ends in five zero bits.
    for (const bits of [30, 31, 0, 1, 5]) file.record(null, [heartRate], { compressed: bits });
    expect(columnsOf(file.build())["time_in_seconds"]).toEqual([0, 30, 31, 32, 33, 37]);
  });

  test("follow a timestamp of any message, and are unknown before the first one", () => {
    const bytes = activityFile()
      .record(null, [heartRate], { compressed: 3 })
      .message(21, [
        [253, "uint32", T0 + 64],
        [0, "enum", 0],
      ])
      .record(null, [heartRate], { compressed: 3 })
      .session()
      .build();
    expect(columnsOf(bytes)["time_in_seconds"]).toEqual([null, 67]);
  });
});

describe("the offset to local time", () => {
  const offsetOf = (localTimestamp: number, timestamp = T0 + 600) =>
    decodeOne(
      activityFile()
        .session()
        .message(34, [
          [253, "uint32", timestamp],
          [5, "uint32", localTimestamp],
        ])
        .build(),
    ).utc_offset_in_seconds;

  test.each([
    ["two hours ahead", 7200, 7200],
    ["at UTC", 0, 0],
    ["five hours and 45 minutes ahead", 20_700, 20_700],
    ["twelve hours behind", -43_200, -43_200],
    ["fourteen hours ahead", 50_400, 50_400],
    ["a minute of drift", 7200 + 60, 7200],
    ["a minute of drift the other way", 7200 - 60, 7200],
    ["more than a minute off a quarter of an hour", 7200 + 61, null],
    ["more than fourteen hours", 51_300, null],
    ["more than twelve hours behind", -44_100, null],
  ])("%s", (_, difference, offset) => {
    expect(offsetOf(T0 + 600 + difference)).toBe(offset);
  });

  test("is unknown when the local time is 0 or invalid", () => {
    expect(offsetOf(0)).toBeNull();
    expect(offsetOf(0xffffffff)).toBeNull();
  });
});

describe("a clock that jumps", () => {
  const timesOf = (bytes: Uint8Array) => columnsOf(bytes)["time_in_seconds"];
  const at = (...seconds: number[]) => {
    const file = activityFile();
    for (const second of seconds) file.record(second, [heartRate]);
    return file;
  };

  test("forward over the session's end leaves the duration as the session says", () => {
    const bytes = at(0, 1, 1_000_000).session([], 3).build();
    expect(decode(bytes).warnings).toEqual(["clock_jump"]);
    expect(decodeOne(bytes).elapsed_time_in_seconds).toBe(3);
    expect(timesOf(bytes)).toEqual([0, 1, 1]);
  });

  test("back keeps the file's order with time that never decreases", () => {
    const bytes = at(0, 100, 200, 90, 91, 201).session().build();
    expect(decode(bytes).warnings).toEqual(["clock_jump"]);
    expect(timesOf(bytes)).toEqual([0, 100, 200, 200, 200, 201]);
  });

  test("by a few seconds gives no warning", () => {
    const bytes = at(0, 1, 2, 1, 2, 3).session().build();
    expect(decode(bytes).warnings).toEqual([]);
    expect(timesOf(bytes)).toEqual([0, 1, 2, 2, 2, 3]);
  });

  test("is not reported for a pause", () => {
    expect(decode(at(0, 1, 30_000, 30_001).session([], 30_001).build()).warnings).toEqual([]);
    expect(decode(at(0, 1, 80_000).build()).warnings).toEqual([]);
  });

  test("is reported without a session too", () => {
    expect(decode(at(0, 1, 200_000).build()).warnings).toEqual(["clock_jump"]);
  });
});
