import { describe, expect, test } from "vitest";
import { columnsOf, decodeOne } from "../support/fitDecode.ts";
import { activityFile, type BaseTypeName, type Field } from "../support/fitBuilder.ts";

const HEART_RATE = "heart_rate_in_beats_per_minute";

/** Returns a reading of a record that also has power, so that its row always exists. */
const readingOf = (key: string, ...fields: readonly Field[]) =>
  columnsOf(
    activityFile()
      .record(0, [[7, "uint16", 1], ...fields])
      .build(),
  )[key]?.[0] ?? null;

describe("readings", () => {
  test.each<[string, Field, string, number]>([
    ["distance in centimetres", [5, "uint32", 123_456], "distance_in_meters", 1234.56],
    ["speed in millimetres per second", [6, "uint16", 8_333], "speed_in_meters_per_second", 8.333],
    ["altitude above -500 m in fifths", [2, "uint16", 1_234], "altitude_in_meters", -253.2],
    ["temperature below zero", [13, "sint8", -5], "temperature_in_celsius", -5],
    ["cadence", [4, "uint8", 90], "cadence_in_cycles_per_minute", 90],
    ["cadence in 1/256", [52, "uint16", 90 * 256 + 128], "cadence_in_cycles_per_minute", 90.5],
  ])("%s is scaled without rounding errors", (_, field, key, value) => {
    expect(readingOf(key, field)).toBe(value);
  });

  test.each<[string, Field, string, number | null]>([
    ["respiration rate", [99, "uint8", 31], "respiration_rate_in_breaths_per_minute", 31],
    ["enhanced respiration rate", [108, "uint16", 3_147], "respiration_rate_in_breaths_per_minute", 31.47],
    ["a slope downhill", [9, "sint16", -1_234], "grade_in_percent", -12.34],
    ["an unknown slope", [9, "sint16", 0x7fff], "grade_in_percent", null],
    ["torque effectiveness, left", [43, "uint8", 145], "left_torque_effectiveness_in_percent", 72.5],
    ["torque effectiveness, right", [44, "uint8", 0], "right_torque_effectiveness_in_percent", 0],
    ["pedal smoothness, left", [45, "uint8", 41], "left_pedal_smoothness_in_percent", 20.5],
    ["pedal smoothness, right", [46, "uint8", 42], "right_pedal_smoothness_in_percent", 21],
    ["pedal smoothness, both", [47, "uint8", 43], "combined_pedal_smoothness_in_percent", 21.5],
    ["unknown pedal smoothness", [47, "uint8", 0xff], "combined_pedal_smoothness_in_percent", null],
    ["vertical oscillation", [39, "uint16", 877], "vertical_oscillation_in_millimeters", 87.7],
    ["stance time", [41, "uint16", 2_913], "stance_time_in_milliseconds", 291.3],
    ["balance of the stance time", [84, "uint16", 4_887], "stance_time_balance_in_percent", 48.87],
    ["step length", [85, "uint16", 11_410], "step_length_in_millimeters", 1_141],
    ["vertical ratio", [83, "uint16", 750], "vertical_ratio_in_percent", 7.5],
    ["depth", [92, "uint32", 12_345], "depth_in_meters", 12.345],
    ["depth as a float", [92, "float32", 12_500], "depth_in_meters", 12.5],
    ["the right side of the power", [30, "uint8", 0x80 + 47], "right_balance_in_percent", 47],
    ["no power on the right side", [30, "uint8", 0x80], "right_balance_in_percent", 0],
    ["power only on the right side", [30, "uint8", 0x80 + 100], "right_balance_in_percent", 100],
    ["a share of more than all", [30, "uint8", 0x80 + 101], "right_balance_in_percent", null],
    ["a share of an unknown side", [30, "uint8", 47], "right_balance_in_percent", null],
  ])("of a record are scaled, or absent: %s", (_, field, key, value) => {
    expect(readingOf(key, field)).toBe(value);
    const { streams } = decodeOne(
      activityFile()
        .record(0, [[7, "uint16", 1]])
        .record(1, [[7, "uint16", 1], field])
        .build(),
    );
    expect(streams.includes(key)).toBe(value !== null);
  });

  test("a plain respiration rate counts beside an enhanced one that was never written", () => {
    const key = "respiration_rate_in_breaths_per_minute";
    expect(readingOf(key, [108, "uint16", 0], [99, "uint8", 17])).toBe(17);
    expect(readingOf(key, [99, "uint8", 17], [108, "uint16", 1_725])).toBe(17.25);
    expect(readingOf(key, [108, "uint16", 0xffff], [99, "uint8", 17])).toBe(17);
  });

  test("a single reading in a long ride is a stream, in either byte order", () => {
    for (const bigEndian of [false, true]) {
      const file = activityFile();
      const seconds = 3_000;
      for (let second = 0; second < seconds; second++) {
        const isLast = second === seconds - 1;
        file.record(
          second,
          [
            [7, "uint16", 1],
            [9, "sint16", isLast ? -150 : 0x7fff],
            [41, "uint16", isLast ? 2_500 : 0xffff],
            [92, "uint32", isLast ? 1_500 : 0xffffffff],
            [43, "uint8", 0xff],
          ],
          { bigEndian },
        );
      }
      const { streams } = decodeOne(file.session().build());
      const found = ["power_in_watts", "grade_in_percent", "stance_time_in_milliseconds", "depth_in_meters"];
      expect(streams).toEqual(["time_in_seconds", ...found]);
    }
  });

  test("zero is a value for power, cadence, temperature, speed, distance and altitude", () => {
    const columns = columnsOf(
      activityFile()
        .record(0, [
          [7, "uint16", 0],
          [4, "uint8", 0],
          [13, "sint8", 0],
          [6, "uint16", 0],
          [5, "uint32", 0],
          [2, "uint16", 2_500],
        ])
        .build(),
    );
    const { time_in_seconds: _, ...readings } = columns;
    expect(Object.values(readings)).toEqual([[0], [0], [0], [0], [0], [0]]);
  });

  test("a heart rate of 0 is no reading, in records, laps and sessions", () => {
    expect(readingOf(HEART_RATE, [3, "uint8", 0])).toBeNull();
    const activity = decodeOne(
      activityFile()
        .lap([
          [15, "uint8", 0],
          [16, "uint8", 0],
        ])
        .session([
          [16, "uint8", 0],
          [17, "uint8", 0],
        ])
        .build(),
    );
    expect(activity.average_heart_rate_in_beats_per_minute).toBeNull();
    expect(activity.max_heart_rate_in_beats_per_minute).toBeNull();
    expect(activity.laps[0]?.average_heart_rate_in_beats_per_minute).toBeNull();
  });

  test.each<[BaseTypeName, number | bigint]>([
    ["uint8", 0xff],
    ["sint8", 0x7f],
    ["uint16", 0xffff],
    ["sint16", 0x7fff],
    ["uint32", 0xffffffff],
    ["sint32", 0x7fffffff],
    ["uint64", 0xffffffffffffffffn],
    ["sint64", 0x7fffffffffffffffn],
    ["uint8z", 0],
    ["uint16z", 0],
    ["uint32z", 0],
    ["uint64z", 0n],
    ["float32", NaN],
    ["float64", NaN],
    ["float32", Infinity],
    ["byte", 0xff],
    ["enum", 0xff],
  ])("the invalid value of %s is no reading", (type, invalid) => {
    expect(readingOf("cadence_in_cycles_per_minute", [4, type, invalid])).toBeNull();
  });

  test.each<[BaseTypeName, number]>([
    ["uint8", 150],
    ["uint16", 150],
    ["sint16", 150],
    ["uint32", 150],
    ["sint32", 150],
    ["uint64", 150],
    ["sint64", 150],
    ["float32", 150],
    ["float64", 150],
    ["uint16z", 150],
  ])("a heart rate written as %s reads the same", (type, value) => {
    expect(readingOf(HEART_RATE, [3, type, value])).toBe(150);
  });

  test("the sign comes from the definition, the scale from the profile", () => {
    expect(readingOf("distance_in_meters", [5, "float32", 1_500])).toBe(15);
    expect(readingOf("temperature_in_celsius", [13, "sint16", -20])).toBe(-20);
    expect(readingOf("power_in_watts", [9, "uint8", 1])).toBe(1);
  });

  test("a float32 is rounded to seven digits", () => {
    expect(readingOf("cadence_in_cycles_per_minute", [4, "float32", 89.1])).toBe(89.1);
  });

  test("the first member of an array is the value of a field with one value", () => {
    expect(readingOf(HEART_RATE, [3, "uint8", [140, 255]])).toBe(140);
    expect(readingOf(HEART_RATE, [3, "uint8", [255, 140]])).toBeNull();
  });
});

describe("enhanced fields", () => {
  test("the enhanced field has priority over the plain one, in any order", () => {
    const key = "speed_in_meters_per_second";
    expect(readingOf(key, [6, "uint16", 5_000], [73, "uint32", 6_000])).toBe(6);
    expect(readingOf(key, [73, "uint32", 6_000], [6, "uint16", 5_000])).toBe(6);
    expect(readingOf(key, [6, "uint16", 5_000], [73, "uint32", 0xffffffff])).toBe(5);
  });

  test("an enhanced 0 beside a plain reading is absent", () => {
    expect(readingOf("speed_in_meters_per_second", [73, "uint32", 0], [6, "uint16", 5_000])).toBe(5);
    expect(readingOf("altitude_in_meters", [78, "uint32", 0], [2, "uint16", 3_000])).toBe(100);
    expect(readingOf("altitude_in_meters", [78, "uint32", 2_500], [2, "uint16", 3_000])).toBe(100);
  });

  test("an enhanced 0 without a plain reading is 0", () => {
    expect(readingOf("speed_in_meters_per_second", [73, "uint32", 0])).toBe(0);
    expect(readingOf("speed_in_meters_per_second", [73, "uint32", 0], [6, "uint16", 0])).toBe(0);
  });

  test("sessions and laps follow the same rule", () => {
    const activity = decodeOne(
      activityFile()
        .lap([
          [8, "uint32", 600_000],
          [110, "uint32", 0],
          [13, "uint16", 4_000],
        ])
        .session([
          [124, "uint32", 0],
          [14, "uint16", 5_000],
          [125, "uint32", 9_000],
          [15, "uint16", 8_000],
        ])
        .build(),
    );
    expect(activity.average_speed_in_meters_per_second).toBe(5);
    expect(activity.max_speed_in_meters_per_second).toBe(9);
    expect(activity.laps[0]?.average_speed_in_meters_per_second).toBe(4);
  });
});

describe("positions", () => {
  const position = (latitude: number, longitude: number) => {
    const columns = columnsOf(
      activityFile()
        .record(0, [
          [7, "uint16", 1],
          [0, "sint32", latitude],
          [1, "sint32", longitude],
        ])
        .build(),
    );
    return [columns["latitude_in_degrees"]?.[0] ?? null, columns["longitude_in_degrees"]?.[0] ?? null];
  };

  test("semicircles become degrees to a centimetre", () => {
    expect(position(2 ** 29, -(2 ** 30))).toEqual([45, -90]);
    expect(position(500_000_000, 100_000_000)).toEqual([41.9095159, 8.3819032]);
  });

  test("0/0 and the invalid value are no position, a single 0 is the equator or Greenwich", () => {
    expect(position(0, 0)).toEqual([null, null]);
    expect(position(0x7fffffff, 0x7fffffff)).toEqual([null, null]);
    expect(position(0x7fffffff, 100)).toEqual([null, null]);
    expect(position(0, 2 ** 29)).toEqual([0, 45]);
    expect(position(2 ** 29, 0)).toEqual([45, 0]);
  });

  test("a latitude beyond a pole is no reading", () => {
    expect(position(2 ** 30 + 1, 5)).toEqual([null, null]);
  });
});

describe("cadence", () => {
  test("the fraction is added", () => {
    expect(readingOf("cadence_in_cycles_per_minute", [4, "uint8", 85], [53, "uint8", 64])).toBe(85.5);
    expect(readingOf("cadence_in_cycles_per_minute", [4, "uint8", 85], [53, "uint8", 255])).toBe(85);
    expect(readingOf("cadence_in_cycles_per_minute", [53, "uint8", 64])).toBeNull();
  });

  test("steps are two strides, on foot only", () => {
    const stepsOf = (sport: number) =>
      decodeOne(
        activityFile()
          .session([
            [5, "enum", sport],
            [18, "uint8", 85],
            [92, "uint8", 64],
          ])
          .build(),
      );
    const [running, walking, hiking, cycling] = [1, 11, 17, 2].map(stepsOf);
    expect(running?.average_cadence_in_cycles_per_minute).toBe(85.5);
    expect(running?.average_steps_per_minute).toBe(171);
    expect(walking?.average_steps_per_minute).toBe(171);
    expect(hiking?.average_steps_per_minute).toBe(171);
    expect(cycling?.average_steps_per_minute).toBeNull();
  });
});

describe("broken fields", () => {
  test.each<[string, number[]]>([
    ["of a size that is no multiple of its base type", [7, 3, 0x84]],
    ["of an unknown base type", [7, 2, 0x55]],
    ["of size zero", [7, 0, 0x84]],
  ])("a field %s is absent, and the other fields are read", (_, power) => {
    const size = power[1] ?? 0;
    const bytes = activityFile()
      .raw(0x41, 0, 0, 20, 0, 3, 3, 1, 0x02, ...power, 4, 1, 0x02)
      .raw(0x01, 140, ...Array.from({ length: size }, () => 9), 90)
      .build();
    const columns = columnsOf(bytes);
    expect(columns[HEART_RATE]).toEqual([140]);
    expect(columns["cadence_in_cycles_per_minute"]).toEqual([90]);
    expect(columns["power_in_watts"]).toBeUndefined();
  });

  test("of several fields with the same number the last one counts", () => {
    expect(readingOf(HEART_RATE, [3, "uint8", 140], [3, "uint8", 150])).toBe(150);
    expect(readingOf(HEART_RATE, [3, "uint8", 140], [3, "uint8", 255])).toBeNull();
    const lap = activityFile()
      .lap([
        [9, "uint32", 0],
        [9, "uint32", 5_000],
      ])
      .session()
      .build();
    expect(decodeOne(lap).laps[0]?.distance_in_meters).toBe(50);
  });

  test("cycles and total_cycles in one record do not affect other fields", () => {
    expect(readingOf(HEART_RATE, [18, "uint8", 3], [19, "uint32", 7], [3, "uint8", 140])).toBe(140);
  });
});

describe("compressed speed and distance", () => {
  const packed = (speed: number, distance: number): Field => {
    const bits = (speed & 0xfff) | ((distance & 0xfff) << 12);
    return [8, "byte", [bits & 0xff, (bits >> 8) & 0xff, bits >> 16]];
  };

  test("the distance adds up through its 12-bit wrap", () => {
    const file = activityFile();
    for (let i = 1; i <= 60; i++) file.record(i, [packed(1_000, i * 10 * 16)]);
    const columns = columnsOf(file.build());
    expect(columns["distance_in_meters"]).toEqual(Array.from({ length: 60 }, (_, i) => (i + 1) * 10));
    expect(new Set(columns["speed_in_meters_per_second"])).toEqual(new Set([10]));
  });

  test("all bits set is no reading", () => {
    expect(readingOf("speed_in_meters_per_second", [8, "byte", [255, 255, 255]])).toBeNull();
  });

  test("the plain fields have priority", () => {
    expect(readingOf("distance_in_meters", packed(1_000, 160), [5, "uint32", 9_900])).toBe(99);
  });
});
