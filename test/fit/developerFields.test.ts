import { describe, expect, test } from "vitest";
import { columnsOf, decode, decodeOne } from "../support/fitDecode.ts";
import { activityFile, type DeveloperField, type Field, type FitBuilder } from "../support/fitBuilder.ts";

const HEART_RATE: Field = [3, "uint8", 140];
const native = (field: number): Field[] => [
  [14, "uint16", 20],
  [15, "uint8", field],
];
const units = (text: string): Field => [8, "string", text];
const POWER = 7;

/** Applications register a developer data index with their id. */
const application = (file: FitBuilder, id: number, index = 0) =>
  file.message(
    207,
    [
      [1, "byte", Array.from({ length: 16 }, () => id)],
      [3, "uint8", index],
    ],
    { local: 6 },
  );
const record = (file: FitBuilder, second: number, ...developer: DeveloperField[]) =>
  file.record(second, [HEART_RATE], { developer });

describe("a field description", () => {
  test("holds for the records after it", () => {
    const file = activityFile().fieldDescription(0, "Temperature", "uint8");
    record(file, 0, [0, 0, "uint8", 37]);
    file.fieldDescription(0, "Stroke length", "uint8");
    record(file, 1, [0, 0, "uint8", 2]);
    expect(columnsOf(file.session().build())).toMatchObject({
      "developer.Temperature": [37, null],
      "developer.Stroke length": [null, 2],
    });
  });

  test("can change the type, which makes no array", () => {
    const file = activityFile().fieldDescription(0, "a", "uint8");
    record(file, 0, [0, 0, "uint8", 1]);
    file.fieldDescription(0, "b", "uint32");
    record(file, 1, [0, 0, "uint32", 70_000]);
    expect(columnsOf(file.session().build())).toEqual({
      time_in_seconds: [0, 1],
      heart_rate_in_beats_per_minute: [140, 140],
      "developer.a": [1, null],
      "developer.b": [null, 70_000],
    });
  });

  test("can be repeated without a change", () => {
    const file = activityFile();
    for (let second = 0; second < 6_000; second++) {
      file.fieldDescription(0, "Temperature", "uint8");
      record(file, second, [0, 0, "uint8", 37]);
    }
    const bytes = file.session().build();
    expect(new Set(columnsOf(bytes)["developer.Temperature"])).toEqual(new Set([37]));
    expect(decode(bytes).warnings).toEqual([]);
  });

  test("does not hold once another application registers the index", () => {
    const file = application(activityFile(), 1).fieldDescription(0, "Temperature", "uint8");
    record(file, 0, [0, 0, "uint8", 37]);
    application(file, 1);
    record(file, 1, [0, 0, "uint8", 38]);
    application(file, 2);
    record(file, 2, [0, 0, "uint8", 2]);
    expect(columnsOf(file.session().build())["developer.Temperature"]).toEqual([37, 38, null]);
  });

  test("of the other application holds from the registration on, even if it comes late", () => {
    const file = application(activityFile(), 1).fieldDescription(0, "Temperature", "uint8");
    record(file, 0, [0, 0, "uint8", 37]);
    application(file, 2);
    record(file, 1, [0, 0, "uint8", 2]);
    file.fieldDescription(0, "Stroke length", "uint8");
    record(file, 2, [0, 0, "uint8", 3]);
    expect(columnsOf(file.session().build())).toMatchObject({
      "developer.Temperature": [37, null, null],
      "developer.Stroke length": [null, 2, 3],
    });
  });

  test("without a name gives a stable one", () => {
    const file = activityFile().message(206, [
      [0, "uint8", 3],
      [1, "uint8", 5],
      [2, "uint8", 2],
    ]);
    record(file, 0, [5, 3, "uint8", 9]);
    expect(columnsOf(file.session().build())).toMatchObject({ "developer.field_3_5": [9] });
  });

  test("with the same name, unit and native field under another number continues the series", () => {
    const file = activityFile().fieldDescription(0, "Power", "uint16", native(POWER));
    record(file, 0, [0, 0, "uint16", 200]);
    file.fieldDescription(4, "Power", "uint16", native(POWER));
    record(file, 1, [4, 0, "uint16", 210]);
    const bytes = file.session().build();
    expect(columnsOf(bytes)).toEqual({
      time_in_seconds: [0, 1],
      heart_rate_in_beats_per_minute: [140, 140],
      power_in_watts: [200, 210],
      "developer.Power": [200, 210],
    });
    expect(decodeOne(bytes).max_power_in_watts).toBe(210);
  });
});

describe("a developer field that replaces a native one", () => {
  const replaced = (nativeField: number, name: string, unit: string | null, value: number) => {
    const more = [...(unit === null ? [] : [units(unit)]), ...native(nativeField)];
    const file = activityFile().fieldDescription(0, name, "float32", more);
    record(file, 0, [0, 0, "float32", value]);
    record(file, 1, [0, 0, "float32", value]);
    return columnsOf(file.session().build());
  };

  test.each<[string | null, number, number]>([
    ["km/h", 12.6, 3.5],
    ["Km / H", 36, 10],
    ["kph", 36, 10],
    ["mph", 10, 4.4704],
    ["m/s", 3.5, 3.5],
    ["M/S", 3.5, 3.5],
    ["meters per second", 3.5, 3.5],
    [null, 3.5, 3.5],
  ])("is converted from %s to m/s", (unit, value, speed) => {
    const columns = replaced(6, "Speed", unit, value);
    expect(columns["speed_in_meters_per_second"]).toEqual([speed, speed]);
    expect(columns["developer.Speed"]).toEqual([value, value]);
  });

  test.each<[number, string, string, number, number]>([
    [5, "distance_in_meters", "km", 1.5, 1500],
    [5, "distance_in_meters", "Meters", 1500, 1500],
    [2, "altitude_in_meters", "ft", 1000, 304.8],
    [39, "vertical_oscillation_in_millimeters", "Centimeters", 8.7, 87],
    [41, "stance_time_in_milliseconds", "Milliseconds", 250, 250],
    [85, "step_length_in_millimeters", "m", 1.25, 1250],
    [99, "respiration_rate_in_breaths_per_minute", "brpm", 16, 16],
    [108, "respiration_rate_in_breaths_per_minute", "breaths/min", 16.5, 16.5],
    [9, "grade_in_percent", "%", -3.5, -3.5],
    [7, "power_in_watts", "Watts", 200, 200],
    [7, "power_in_watts", "kW", 0.25, 250],
    [13, "temperature_in_celsius", "°F", 68, 20],
    [13, "temperature_in_celsius", "K", 300, 26.85],
    [4, "cadence_in_cycles_per_minute", "steps/min", 170, 85],
  ])("field %i is converted to %s from %s", (nativeField, key, unit, value, converted) => {
    expect(replaced(nativeField, "field", unit, value)[key]).toEqual([converted, converted]);
  });

  test.each<[number, string, string]>([
    [6, "Speed", "min/km"],
    [6, "Speed", "bananas"],
    [4, "Cadence", "spm"],
    [3, "Heart rate", "%"],
  ])("is not used for field %i with the unknown unit of %s in %s", (nativeField, name, unit) => {
    const columns = replaced(nativeField, name, unit, 50);
    expect(Object.keys(columns)).toEqual(
      ["time_in_seconds", "heart_rate_in_beats_per_minute", `developer.${name}`].filter(
        (key) => key in columns,
      ),
    );
    expect(columns[`developer.${name}`]).toEqual([50, 50]);
  });

  test("strokes per minute are cadence", () => {
    expect(replaced(4, "Stroke Rate", "spm", 24)["cadence_in_cycles_per_minute"]).toEqual([24, 24]);
  });

  test("is not used when all of its readings are 0", () => {
    const file = activityFile()
      .fieldDescription(0, "Power", "uint16", native(POWER))
      .fieldDescription(1, "Second power", "uint16", native(POWER));
    record(file, 0, [0, 0, "uint16", 0], [1, 0, "uint16", 0]);
    record(file, 1, [0, 0, "uint16", 0], [1, 0, "uint16", 0]);
    record(file, 2, [0, 0, "uint16", 0], [1, 0, "uint16", 300]);
    const bytes = file.session([], 3).build();
    expect(columnsOf(bytes)).toMatchObject({
      "developer.Power": [0, 0, 0],
      power_in_watts: [0, 0, 300],
    });
    // The zeros of the second field count.
    expect(decodeOne(bytes)).toMatchObject({ average_power_in_watts: 100, work_in_kilojoules: 0.3 });
  });

  test("leaves no stream when no field has readings but 0", () => {
    const file = activityFile().fieldDescription(0, "Power", "uint16", native(POWER));
    record(file, 0, [0, 0, "uint16", 0]);
    const bytes = file.session().build();
    expect(columnsOf(bytes)).not.toHaveProperty("power_in_watts");
    expect(decodeOne(bytes)).toMatchObject({
      streams: ["time_in_seconds", "heart_rate_in_beats_per_minute", "developer.Power"],
      average_power_in_watts: null,
      max_power_in_watts: null,
    });
  });

  test("is named in `derived` once", () => {
    const file = activityFile().fieldDescription(0, "Distance", "uint32", native(5));
    record(file, 0, [0, 0, "uint32", 0]);
    record(file, 1, [0, 0, "uint32", 10]);
    const { derived } = decodeOne(file.session().build());
    expect(derived).toContain("distance_in_meters");
    expect(derived).toHaveLength(new Set(derived).size);
  });
});

describe("an array", () => {
  const arrayOf = (...members: number[]) => {
    const file = activityFile().fieldDescription(0, "zones", "uint8");
    record(file, 0, [0, 0, "uint8", members]);
    return columnsOf(file.session().build());
  };

  test("has a stream for each member, and its first member under its own name", () => {
    expect(arrayOf(1, 255, 3)).toEqual({
      time_in_seconds: [0],
      heart_rate_in_beats_per_minute: [140],
      "developer.zones": [1],
      "developer.zones.0": [1],
      "developer.zones.2": [3],
    });
  });

  test("has at most 16 streams of members", () => {
    const keys = Object.keys(arrayOf(...Array.from({ length: 40 }, (_, i) => i + 1)));
    expect(keys.filter((key) => key.startsWith("developer.zones."))).toHaveLength(16);
  });
});

test("Of several developer fields with the same number in one record the last one counts", () => {
  const file = activityFile().fieldDescription(0, "a", "uint8");
  record(file, 0, [0, 0, "uint8", 1], [0, 0, "uint8", 2]);
  expect(columnsOf(file.session().build())["developer.a"]).toEqual([2]);
});
