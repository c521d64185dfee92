import { expect, test } from "vitest";
import { decodeParts } from "../../src/fit/index.ts";
import { activityFile, concat, FitBuilder, T0, T0_UNIX, type Field } from "../support/fitBuilder.ts";
import { decode, decodeOne } from "../support/fitDecode.ts";

const SETTINGS = 2;
const zones = (about: number, index: number, more: readonly Field[]): Field[] => [
  [0, "uint16", about],
  [1, "uint16", index],
  ...more,
];

test("the athlete is the one of the session's zones, else of the targets, else of the profile", () => {
  const file = activityFile()
    .message(7, [
      [1, "uint8", 187],
      [2, "uint8", 0],
      [3, "uint16", 250],
    ])
    .message(216, zones(18, 0, [[13, "uint8", 168]]))
    .session([[5, "enum", 1]])
    .message(3, [
      [4, "uint16", 685],
      [8, "uint8", 47],
      [11, "uint8", 185],
    ])
    .build();
  expect(decodeOne(file).athlete).toEqual({
    max_heart_rate_in_beats_per_minute: 187,
    threshold_heart_rate_in_beats_per_minute: 168,
    resting_heart_rate_in_beats_per_minute: 47,
    functional_threshold_power_in_watts: 250,
    weight_in_kilograms: 68.5,
  });
});

test("a value of the athlete that is 0 or still computed is not set", () => {
  const file = activityFile()
    .message(3, [
      [4, "uint16", 65_534],
      [8, "uint8", 0],
      [9, "uint8", 190],
      [10, "uint8", 180],
    ])
    .session([
      [5, "enum", 2],
      [45, "uint16", 0],
    ])
    .build();
  expect(decodeOne(file).athlete).toEqual({
    max_heart_rate_in_beats_per_minute: 180,
    threshold_heart_rate_in_beats_per_minute: null,
    resting_heart_rate_in_beats_per_minute: null,
    functional_threshold_power_in_watts: null,
    weight_in_kilograms: null,
  });
});

test("a value that a first profile leaves at 0 comes from a later one", () => {
  const file = activityFile()
    .message(3, [[4, "uint16", 0]])
    .session()
    .message(3, [[4, "uint16", 710]])
    .message(3, [[4, "uint16", 720]])
    .build();
  expect(decodeOne(file).athlete.weight_in_kilograms).toBe(71);
});

test("each session of a file has its own targets", () => {
  const file = activityFile()
    .message(7, [[1, "uint8", 190]])
    .message(7, [[1, "uint8", 180]])
    .session([[2, "uint32", T0]])
    .session([[2, "uint32", T0 + 600]])
    .build();
  const rates = decode(file).activities.map(({ athlete }) => athlete.max_heart_rate_in_beats_per_minute);
  expect(rates).toEqual([190, 180]);
});

test("settings in a chained file of their own describe the athlete", () => {
  const settings = new FitBuilder()
    .fileId(SETTINGS)
    .message(3, [[4, "uint16", 900]])
    .build();
  const activity = activityFile().session().build();
  for (const file of [concat(activity, settings), concat(settings, activity)]) {
    expect(decodeOne(file).athlete.weight_in_kilograms).toBe(90);
  }
});

test("zones belong to the session or lap that their message refers to", () => {
  const rates = (seconds: number[]): Field[] => [
    [2, "uint32", [...seconds.map((one) => one * 1000), 0xffffffff]],
    [6, "uint8", [100, 120, 140, 255]],
    [10, "enum", 1],
  ];
  const file = activityFile()
    .message(216, zones(19, 1, rates([7, 8, 9])))
    .message(216, zones(18, 1, rates([4, 5, 6.25])))
    .message(216, zones(225, 0, rates([1, 1, 1])))
    .lap([
      [254, "uint16", 0],
      [2, "uint32", T0],
    ])
    .lap([
      [254, "uint16", 1],
      [2, "uint32", T0 + 600],
    ])
    .session([
      [254, "uint16", 0],
      [2, "uint32", T0],
      [68, "uint32", [1000, 0xffffffff, 2000]],
    ])
    .session([
      [254, "uint16", 0x8001],
      [2, "uint32", T0 + 600],
    ])
    .build();
  const expected = (seconds: number[]) => ({
    heart_rate: {
      calculation: "percent_max_hr",
      time_in_seconds: seconds,
      upper_bounds_in_beats_per_minute: [100, 120, 140],
    },
    power: null,
    speed: null,
    cadence: null,
  });
  const [first, second] = decode(file).activities;
  expect(first?.time_in_zones).toEqual({
    heart_rate: null,
    power: { calculation: null, time_in_seconds: [1, null, 2], upper_bounds_in_watts: null },
    speed: null,
    cadence: null,
  });
  expect(first?.laps[0]?.time_in_zones).toBeNull();
  expect(second?.time_in_zones).toEqual(expected([4, 5, 6.25]));
  expect(second?.laps[0]?.time_in_zones).toEqual(expected([7, 8, 9]));
});

test("laps with the same index are found by their position", () => {
  const time: Field = [57, "uint32", [0xffffffff]];
  const file = activityFile()
    .lap([[254, "uint16", 0], time])
    .lap([[254, "uint16", 0], time])
    .message(
      216,
      zones(19, 1, [
        [3, "uint32", [3000]],
        [7, "uint16", [2500]],
      ]),
    )
    .session()
    .build();
  expect(decodeOne(file).laps.map((lap) => lap.time_in_zones)).toEqual([
    null,
    {
      heart_rate: null,
      power: null,
      speed: { time_in_seconds: [3], upper_bounds_in_meters_per_second: [2.5] },
      cadence: null,
    },
  ]);
});

test("bounds can come from the zones that are set on the device", () => {
  const bound = (index: number, high: number): Field[] => [
    [254, "uint16", index],
    [1, "uint8", high],
  ];
  const file = activityFile()
    .message(8, bound(1, 140))
    .message(8, bound(0, 120))
    .session([
      [65, "uint32", [1000, 2000, 3000]],
      [67, "uint32", [1000]],
    ])
    .build();
  expect(decodeOne(file).time_in_zones).toEqual({
    heart_rate: {
      calculation: null,
      time_in_seconds: [1, 2, 3],
      upper_bounds_in_beats_per_minute: [120, 140],
    },
    power: null,
    speed: null,
    cadence: { time_in_seconds: [1], upper_bounds_in_cycles_per_minute: null },
  });
});

test("a strength set has its exercise, repetitions, weight and duration, and a rest has none of them", () => {
  const file = activityFile()
    .message(225, [
      [254, "uint32", T0 + 40],
      [0, "uint32", 30_500],
      [3, "uint16", 12],
      [4, "uint16", 60.5 * 16],
      [5, "uint8", 1],
      [6, "uint32", T0 + 10],
      [7, "uint16", [0xffff, 0]],
      [8, "uint16", [0xffff, 1]],
      [9, "uint16", 2],
      [11, "uint16", 3],
    ])
    .message(225, [
      [254, "uint32", T0 + 700],
      [5, "uint8", 0],
      [4, "uint16", 0xffff],
      [7, "uint16", [0xffff]],
    ])
    .message(225, [
      [6, "uint32", T0 + 20],
      [5, "uint8", 7],
      [7, "uint16", [65_534]],
      [8, "uint16", [0xffff]],
    ])
    .session([[2, "uint32", T0]])
    .session([[2, "uint32", T0 + 600]])
    .build();
  const nothing = {
    repetitions: null,
    weight_in_kilograms: null,
    duration_in_seconds: null,
    workout_step_index: null,
  };
  expect(decode(file).activities.map(({ sets }) => sets)).toEqual([
    [
      {
        set_index: 0,
        type: "active",
        start_time_in_seconds: T0_UNIX + 10,
        duration_in_seconds: 30.5,
        repetitions: 12,
        weight_in_kilograms: 60.5,
        exercise: { category: "bench_press", name: "barbell_bench_press" },
        workout_step_index: 3,
      },
      {
        ...nothing,
        set_index: 1,
        type: "unknown_7",
        start_time_in_seconds: T0_UNIX + 20,
        exercise: { category: "unknown", name: null },
      },
    ],
    [{ ...nothing, set_index: 0, type: "rest", start_time_in_seconds: null, exercise: null }],
  ]);
});

test("a lap has its intensity and workout step, and the strokes of a swim", () => {
  const file = activityFile()
    .lap([
      [23, "enum", 2],
      [71, "uint16", 0x8004],
      [25, "enum", 5],
      [38, "enum", 1],
      [10, "uint32", 40],
      [40, "uint16", 4],
    ])
    .lap([
      [23, "enum", 0xff],
      [25, "enum", 2],
      [10, "uint32", 900],
    ])
    .length([
      [6, "uint16", 1152],
      [9, "uint8", 26],
    ])
    .session()
    .build();
  const activity = decodeOne(file);
  expect(activity.laps).toMatchObject([
    {
      intensity: "warmup",
      workout_step_index: 4,
      stroke: "backstroke",
      strokes: 40,
      number_of_active_lengths: 4,
    },
    { intensity: null, workout_step_index: null, stroke: null, strokes: null, total_cycles: 900 },
  ]);
  expect(activity.lengths).toMatchObject([
    { average_speed_in_meters_per_second: 1.152, average_cadence_in_cycles_per_minute: 26 },
  ]);
});

test("developer fields of sessions and laps have their values with units, also when described later", () => {
  const file = activityFile()
    .message(19, [[2, "uint32", T0]], { local: 3, developer: [[1, 0, "uint16", 1234]] })
    .message(18, [[2, "uint32", T0]], {
      local: 2,
      developer: [
        [1, 0, "uint16", 0xffff],
        [2, 0, "string", "Bru\u0001ges"],
        [3, 0, "uint8", [1, 255, 3]],
        [9, 0, "uint8", 1],
      ],
    })
    .fieldDescription(1, "Leg Spring", "uint16", [
      [6, "uint8", 100],
      [8, "string", "kN/m"],
    ])
    .fieldDescription(2, "Title", "string")
    .fieldDescription(3, "Zones", "uint8")
    .build();
  const activity = decodeOne(file);
  expect(activity.laps[0]?.developer_fields).toEqual([{ name: "Leg Spring", units: "kN/m", value: 12.34 }]);
  expect(activity.developer_fields).toEqual([
    { name: "Title", units: null, value: "Bruges" },
    { name: "Zones", units: null, value: [1, null, 3] },
  ]);
});

test("the details that are decoded alone are those of the activity", () => {
  const file = activityFile()
    .message(216, zones(18, 0, [[2, "uint32", [1000]]]))
    .message(225, [[5, "uint8", 1]])
    .lap([[2, "uint32", T0]])
    .session()
    .build();
  const parts = decodeParts(file, { fallbackStartInSeconds: null, sessionIndex: 0 });
  expect(parts?.sets).toHaveLength(1);
  expect(decodeOne(file)).toMatchObject({ ...parts });
});

test("sets, zones and developer fields stay bounded", () => {
  const file = activityFile();
  for (let number = 0; number < 100; number++) file.fieldDescription(number, `f${number}`, "uint8");
  const developer = Array.from({ length: 100 }, (_, number) => [number, 0, "uint8", [1, 2]] as const);
  for (let i = 0; i < 5_000; i++) {
    file.message(225, [[5, "uint8", 1]], { local: 6 });
    file.message(216, zones(19, i, [[2, "uint32", Array.from({ length: 60 }, () => 1000)]]), { local: 7 });
    file.message(19, [[254, "uint16", i]], { local: 3, developer });
  }
  const result = decode(file.session().build());
  const [activity] = result.activities;
  expect(result.warnings).toContain("fit_truncated");
  expect(activity?.sets).toHaveLength(1_000);
  expect(activity?.laps[0]?.time_in_zones?.heart_rate?.time_in_seconds).toHaveLength(16);
  expect(activity?.laps.flatMap((lap) => lap.developer_fields)).toHaveLength(4_000);
  expect(JSON.stringify(activity).length).toBeLessThan(4_000_000);
});
