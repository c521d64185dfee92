import { expect, test } from "vitest";
import { activityFile, T0, type Field } from "../support/fitBuilder.ts";
import { decode } from "../support/fitDecode.ts";

const name = (number: number, value: string): Field => [number, "string", value];

test("a session has the training load, exertion and feel that it says", () => {
  const file = activityFile()
    .session([
      [168, "sint32", 105.03 * 65536],
      [193, "uint8", 75],
      [192, "uint8", 100],
    ])
    .build();
  expect(decode(file).activities).toMatchObject([
    { training_load_peak: 105.03, perceived_exertion: 7.5, feel: 100 },
  ]);
});

test("what a session does not say is null and is not computed", () => {
  const file = activityFile()
    .record(0, [
      [2, "uint16", 3000],
      [3, "uint8", 120],
      [13, "sint8", 20],
    ])
    .session([
      [168, "sint32", 0x7fffffff],
      [193, "uint8", 255],
      [64, "uint8", 0],
      [58, "sint8", 0x7f],
    ])
    .build();
  expect(decode(file).activities).toMatchObject([
    {
      training_load_peak: null,
      perceived_exertion: null,
      feel: null,
      recovery_heart_rate_in_beats_per_minute: null,
      profile_name: null,
      workout_name: null,
      min_heart_rate_in_beats_per_minute: null,
      max_temperature_in_celsius: null,
      min_altitude_in_meters: null,
      max_altitude_in_meters: null,
      average_respiration_rate_in_breaths_per_minute: null,
      total_cycles: null,
      average_swolf: null,
    },
  ]);
});

test("an enhanced field is used before the plain one, but not when it was never written", () => {
  const enhanced: Field[] = [
    [71, "uint16", (100 + 500) * 5],
    [127, "uint32", (100.4 + 500) * 5],
    [50, "uint16", (200 + 500) * 5],
    [128, "uint32", 0],
    [147, "uint8", 20],
    [169, "uint16", 2034],
  ];
  const plain: Field[] = [
    [62, "uint16", (90 + 500) * 5],
    [113, "uint32", 0xffffffff],
    [147, "uint8", 18],
    [136, "uint16", 0xffff],
  ];
  const file = activityFile().lap(plain).session(enhanced).build();
  expect(decode(file).activities).toMatchObject([
    {
      min_altitude_in_meters: 100.4,
      max_altitude_in_meters: 200,
      average_respiration_rate_in_breaths_per_minute: 20.34,
      laps: [{ min_altitude_in_meters: 90, average_respiration_rate_in_breaths_per_minute: 18 }],
    },
  ]);
});

test("laps have their own minimum heart rate, maximum temperature, cycles and SWOLF", () => {
  const file = activityFile()
    .lap([
      [63, "uint8", 96],
      [51, "sint8", -4],
      [10, "uint32", 134],
      [73, "uint16", 39],
    ])
    .session()
    .build();
  const [activity] = decode(file).activities;
  expect(activity?.laps).toMatchObject([
    {
      min_heart_rate_in_beats_per_minute: 96,
      max_temperature_in_celsius: -4,
      total_cycles: 134,
      average_swolf: 39,
    },
  ]);
});

test("the profile's name comes from the session, else from its sport message", () => {
  const sport = (number: number, text: string): Field[] => [[0, "enum", number], name(3, text)];
  const file = activityFile()
    .message(12, sport(1, "Run"))
    .message(12, sport(2, "Bike"))
    .session([[5, "enum", 1], [2, "uint32", T0], name(110, "Trail\u0007 Run")])
    .session([
      [5, "enum", 2],
      [2, "uint32", T0 + 600],
    ])
    .build();
  expect(decode(file).activities.map((activity) => activity.profile_name)).toEqual(["Trail Run", "Bike"]);
});

test("the name of another sport's profile is not taken", () => {
  const file = activityFile()
    .message(12, [[0, "enum", 1], name(3, "Run")])
    .session([[5, "enum", 2]])
    .build();
  expect(decode(file).activities).toMatchObject([{ profile_name: null }]);
});

test("the workout's name is at most 64 characters without control characters", () => {
  const file = activityFile()
    .message(26, [name(8, `6 x\n1 km ${"x".repeat(80)}`)])
    .session()
    .build();
  const [activity] = decode(file).activities;
  expect(activity?.workout_name).toBe(`6 x1 km ${"x".repeat(80)}`.slice(0, 64));
});

test("a name that is cut within a character loses it, and a field filled with 0xFF is no name", () => {
  const cut = new TextEncoder().encode("Läufé").subarray(0, 6);
  const file = activityFile()
    .message(26, [[8, "string", Uint8Array.of(0xff, 0xff, 0xff)]])
    .session([[110, "string", cut]])
    .build();
  const [activity] = decode(file).activities;
  expect(activity).toMatchObject({ profile_name: "Läuf", workout_name: null });
});

test("the recovery heart rate belongs to the session in which it was measured", () => {
  const recovery = (seconds: number, heartRate: number): Field[] => [
    [253, "uint32", T0 + seconds],
    [0, "enum", 21],
    [1, "enum", 3],
    [3, "uint32", heartRate],
  ];
  const file = activityFile()
    .message(21, recovery(1100, 97))
    .message(21, recovery(1190, 91))
    .message(21, recovery(1195, 0))
    .session([[2, "uint32", T0]])
    .session([[2, "uint32", T0 + 600]])
    .build();
  expect(decode(file).activities.map((activity) => activity.recovery_heart_rate_in_beats_per_minute)).toEqual(
    [null, 91],
  );
});
