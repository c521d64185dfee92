import { describe, expect, test } from "vitest";
import { columnsOf, decode, decodeOne } from "../support/fitDecode.ts";
import {
  activityFile,
  concat,
  FitBuilder,
  T0,
  type BaseTypeName,
  type DeveloperField,
  type Field,
} from "../support/fitBuilder.ts";

const HEART_RATE = "heart_rate_in_beats_per_minute";

describe("records of one timestamp", () => {
  test("that follow each other become one row with the first reading of each field", () => {
    const bytes = activityFile()
      .record(0, [[7, "uint16", 200]])
      .record(0, [
        [7, "uint16", 999],
        [3, "uint8", 140],
      ])
      .record(1, [[7, "uint16", 201]])
      .record(0, [[7, "uint16", 202]])
      .build();
    expect(columnsOf(bytes)).toEqual({
      time_in_seconds: [0, 1, 1],
      power_in_watts: [200, 201, 202],
      [HEART_RATE]: [140, null, null],
    });
  });

  test("an invalid reading does not count as the first", () => {
    const bytes = activityFile()
      .record(0, [[3, "uint8", 0]])
      .record(0, [[3, "uint8", 140]])
      .build();
    expect(columnsOf(bytes)[HEART_RATE]).toEqual([140]);
  });

  test("a record with a time and nothing else is a row", () => {
    const bytes = activityFile()
      .record(0, [[3, "uint8", 140]])
      .record(1)
      .record(2, [[3, "uint8", 142]])
      .build();
    expect(columnsOf(bytes)).toEqual({ time_in_seconds: [0, 1, 2], [HEART_RATE]: [140, null, 142] });
  });
});

describe("heart rates that a strap stored", () => {
  const EVENT_ZERO = 5 * 4096;
  /** A complete event time at second 10, then packed event times, each this many 1/1024 s after it. */
  const stored = (rates: readonly number[], events: readonly number[]): FitBuilder => {
    const packed: number[] = [];
    for (let i = 0; i < events.length; i += 2) {
      const [first = 0, second = 0] = [events[i], events[i + 1]].map(
        (event) => (EVENT_ZERO + (event ?? 0)) & 0xfff,
      );
      packed.push(first & 0xff, (first >> 8) | ((second & 0xf) << 4), second >> 4);
    }
    return new FitBuilder()
      .fileId()
      .message(132, [
        [253, "uint32", T0 + 10],
        [9, "uint32", EVENT_ZERO],
        [6, "uint8", 100],
      ])
      .message(132, [
        [6, "uint8", rates],
        [10, "byte", packed],
      ]);
  };
  const swim = () => {
    const file = activityFile();
    for (let second = 9; second < 16; second++) file.record(second, second === 12 ? [[3, "uint8", 77]] : []);
    return file.session().build();
  };

  test("fill the records of the same second, with priority over readings of the wrist", () => {
    const strap = stored([101, 102, 103, 104], [1_024, 2_100, 3_500, 5_000]).build();
    const bytes = concat(swim(), strap);
    expect(decode(bytes).activities).toHaveLength(1);
    expect(columnsOf(bytes)).toEqual({
      time_in_seconds: [9, 10, 11, 12, 13, 14, 15],
      [HEART_RATE]: [null, 100, 101, 102, 103, 104, null],
    });
  });

  test("follow the roll-over of 12-bit event times; rates of 0 and 255 are ignored", () => {
    const strap = stored([0, 255, 103, 104], [1_024, 2_048, 3_072, 4_000]).build();
    expect(columnsOf(concat(swim(), strap))[HEART_RATE]).toEqual([null, 100, null, 77, 103, null, null]);
    const wrapped = stored([101, 102], [3_000, 5_000]).build();
    expect(columnsOf(concat(swim(), wrapped))[HEART_RATE]).toEqual([null, 100, null, 101, null, 102, null]);
  });

  test("count for the activity's maximum", () => {
    const strap = stored([102, 102], [1_024, 2_048]).build();
    expect(decodeOne(concat(swim(), strap)).max_heart_rate_in_beats_per_minute).toBe(102);
  });
});

describe("developer fields", () => {
  const withDeveloper = (
    developer: readonly DeveloperField[],
    describe: (file: FitBuilder) => FitBuilder,
    options: { late?: boolean; fields?: readonly Field[] } = {},
  ) => {
    const file = activityFile();
    if (options.late !== true) describe(file);
    file.record(0, options.fields ?? [[3, "uint8", 140]], { developer });
    if (options.late === true) describe(file);
    return file.session().build();
  };

  test.each(["heart_rate", "timestamp", "__proto__", "constructor", "time_in_seconds"])(
    "named %j never overwrite native fields",
    (name) => {
      const bytes = withDeveloper([[0, 0, "float32", 9.5]], (file) =>
        file.fieldDescription(0, name, "float32"),
      );
      const columns = columnsOf(bytes);
      expect(Object.entries(columns)).toEqual([
        ["time_in_seconds", [0]],
        [HEART_RATE, [140]],
        [`developer.${name}`, [9.5]],
      ]);
      expect(Object.keys({})).toEqual([]);
    },
  );

  test("are named by a description that comes late, without a developer_data_id", () => {
    const bytes = withDeveloper(
      [[7, 3, "uint16", 12]],
      (file) => file.fieldDescription(7, "Form Power", "uint16", [], 3),
      {
        late: true,
      },
    );
    expect(columnsOf(bytes)["developer.Form Power"]).toEqual([12]);
  });

  test("have separate numbers for each developer", () => {
    const bytes = withDeveloper(
      [
        [0, 0, "uint8", 1],
        [0, 1, "uint8", 2],
      ],
      (file) => file.fieldDescription(0, "a", "uint8", [], 0).fieldDescription(0, "b", "uint8", [], 1),
    );
    expect(columnsOf(bytes)).toMatchObject({ "developer.a": [1], "developer.b": [2] });
  });

  test("of the same name get different keys", () => {
    const bytes = withDeveloper(
      [
        [0, 0, "uint8", 1],
        [1, 0, "uint8", 2],
      ],
      (file) => file.fieldDescription(0, "Power", "uint8").fieldDescription(1, "Power", "uint8"),
    );
    expect(columnsOf(bytes)).toMatchObject({ "developer.Power": [1], "developer.Power_2": [2] });
  });

  test("are scaled as described, without invalid values", () => {
    const scaled: Field[] = [
      [6, "uint8", 10],
      [7, "sint8", 5],
    ];
    const bytes = withDeveloper(
      [
        [0, 0, "uint8", 123],
        [1, 0, "uint8", 255],
      ],
      (file) => file.fieldDescription(0, "a", "uint8", scaled).fieldDescription(1, "b", "uint8"),
    );
    expect(columnsOf(bytes)["developer.a"]).toEqual([7.3]);
    expect(columnsOf(bytes)).not.toHaveProperty("developer.b");
  });

  test.each<[string, BaseTypeName, DeveloperField]>([
    ["texts", "string", [0, 0, "string", "hello"]],
    ["of a size that is no multiple of their type", "uint32", [0, 0, "uint8", [1, 2, 3]]],
    ["of size zero", "uint32", [0, 0, "uint8", new Uint8Array(0)]],
  ])("that are %s give no stream", (_, type, field) => {
    const bytes = withDeveloper([field], (file) => file.fieldDescription(0, "a", type));
    expect(columnsOf(bytes)).toEqual({ time_in_seconds: [0], [HEART_RATE]: [140] });
  });

  test("without a description are skipped", () => {
    const bytes = withDeveloper([[0, 0, "uint32", 7]], (file) => file);
    expect(columnsOf(bytes)).toEqual({ time_in_seconds: [0], [HEART_RATE]: [140] });
  });

  test("replace a native field that the whole activity lacks", () => {
    const file = activityFile().fieldDescription(0, "Power", "uint16", [
      [14, "uint16", 20],
      [15, "uint8", 7],
    ]);
    for (const watts of [200, 0xffff, 210])
      file.record(watts, [[3, "uint8", 140]], { developer: [[0, 0, "uint16", watts]] });
    const bytes = file.session().build();
    expect(columnsOf(bytes)).toMatchObject({
      power_in_watts: [200, null, 210],
      "developer.Power": [200, null, 210],
    });
    const activity = decodeOne(bytes);
    expect(activity.streams).toEqual(["time_in_seconds", HEART_RATE, "power_in_watts", "developer.Power"]);
    expect(activity.derived).toEqual(expect.arrayContaining(["power_in_watts", "max_power_in_watts"]));
    expect(activity.max_power_in_watts).toBe(210);
    expect(columnsOf(bytes, { keys: ["power_in_watts"] })).toEqual({ power_in_watts: [200, null, 210] });
  });

  test("never mix with native readings, however few those are", () => {
    const file = activityFile().fieldDescription(0, "Power", "uint16", [[15, "uint8", 7]]);
    file.record(0, [[7, "uint16", 200]], { developer: [[0, 0, "uint16", 900]] });
    file.record(1, [[7, "uint16", 0xffff]], { developer: [[0, 0, "uint16", 901]] });
    const bytes = file.session().build();
    expect(columnsOf(bytes)).toMatchObject({ power_in_watts: [200, null], "developer.Power": [900, 901] });
    expect(decodeOne(bytes).derived).not.toContain("power_in_watts");
    expect(decodeOne(bytes).max_power_in_watts).toBe(200);
  });
});

describe("texts", () => {
  test("are decoded as UTF-8 up to the first NUL, with replacement characters", () => {
    const name = Uint8Array.of(0xc3, 0xa9, 0xff, 0x41, 0x00, 0x42);
    const bytes = activityFile()
      .message(206, [
        [0, "uint8", 0],
        [1, "uint8", 0],
        [2, "uint8", 2],
        [3, "string", name],
      ])
      .record(0, [], { developer: [[0, 0, "uint8", 1]] })
      .build();
    expect(Object.keys(columnsOf(bytes))).toEqual(["time_in_seconds", "developer.é\ufffdA"]);
  });

  test("have at most 64 characters and no control characters", () => {
    const named = (name: string) =>
      Object.keys(
        columnsOf(
          activityFile()
            .message(206, [
              [0, "uint8", 0],
              [1, "uint8", 0],
              [2, "uint8", 2],
              [3, "string", new TextEncoder().encode(name)],
            ])
            .record(0, [], { developer: [[0, 0, "uint8", 1]] })
            .build(),
        ),
      )[1];
    expect(named("\t Po\u0001we\u007fr\n")).toBe("developer.Power");
    expect(named(`${"a".repeat(63)}\u{1f6b4}b`)).toBe(`developer.${"a".repeat(63)}`);
    expect(named(`${"a".repeat(62)}\u{1f6b4}b`)).toBe(`developer.${"a".repeat(62)}\u{1f6b4}`);
  });
});
