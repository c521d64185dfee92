import { Profile } from "@garmin/fitsdk";
import { expect, test } from "vitest";
import { lapFields, lengthFields, setFields, type PartFields } from "../../src/fit/partFields.ts";
import * as profile from "../../src/fit/profile.ts";
import type { Field, Fields, Message } from "../../src/fit/profile.ts";
import { STREAM_KEYS, STREAM_SOURCES } from "../../src/fit/streamKeys.ts";

/** The same tables as another implementation has them. */
interface SdkField {
  readonly name: string;
  readonly type: string;
  readonly array: unknown;
  readonly scale: unknown;
  readonly offset: unknown;
}
const sdkMessages: Readonly<Record<number, { fields: Readonly<Record<number, SdkField>> }>> = JSON.parse(
  JSON.stringify(Profile.messages),
);
const sdkTypes: Readonly<Record<string, Readonly<Record<string, string>>>> = JSON.parse(
  JSON.stringify(Profile.types),
);

/** The profile's names of fields that have other names here. Names of zones have a short form. */
const NAMES: Readonly<Record<string, string>> = {
  average_cadence_in_cycles_per_minute: "avgSwimmingCadence",
  average_respiration_rate_in_breaths_per_minute: "avgRespirationRate",
  average_speed_in_meters_per_second: "avgSpeed",
  average_swolf: "avgSwolf",
  cadence_zone_high_boundary: "cadenceZoneHighBondary",
  duration_in_seconds: "duration",
  feel: "workoutFeel",
  max_altitude_in_meters: "maxAltitude",
  max_temperature_in_celsius: "maxTemperature",
  min_altitude_in_meters: "minAltitude",
  min_heart_rate_in_beats_per_minute: "minHeartRate",
  number_of_active_lengths: "numActiveLengths",
  perceived_exertion: "workoutRpe",
  pool_length_in_meters: "poolLength",
  profile_name: "sportProfileName",
  stroke: "swimStroke",
  strokes: "totalStrokes",
  threshold_power_in_watts: "thresholdPower",
  training_effect_aerobic: "totalTrainingEffect",
  training_effect_anaerobic: "totalAnaerobicTrainingEffect",
  weight_in_kilograms: "weight",
  workout_step_index: "wktStepIndex",
};
const NAMES_IN_MESSAGES: Readonly<Record<string, string>> = {
  "HR_ZONE.high": "highBpm",
  "POWER_ZONE.high": "highValue",
  "SPEED_ZONE.high": "highValue",
  "CADENCE_ZONE.high": "highValue",
  "SET.type": "setType",
};
/** Units other than the profile's: times in seconds, exertion of 0 to 10, event times as raw numbers. */
const SCALES: Readonly<Record<string, number>> = {
  "SESSION.perceived_exertion": 10,
  "HR.event_timestamp": 1 / 1024,
  "BEAT_INTERVALS.timestamp_ms": 1000,
  "BEAT_INTERVALS.time": 1000,
  "RAW_BBI.timestamp_ms": 1000,
  "RAW_BBI.time": 1000,
};

const camel = (name: string) => name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
const capital = (name: string) => name.charAt(0).toUpperCase() + name.slice(1);
const isMessage = (value: unknown): value is Message<Fields> =>
  typeof value === "object" && value !== null && "entries" in value && "number" in value;
/** A scale of one component, or the first of several equal ones. */
const one = (value: unknown) => Number([value].flat()[0]);

const tables = Object.entries(profile).flatMap(([table, value]) =>
  isMessage(value) ? [[table, value] as const] : [],
);

test.each(tables)("message %s has the numbers, types and scales of the FIT profile", (table, message) => {
  const { fields = {} } = sdkMessages[message.number] ?? {};
  const check = (name: string, profileName: string, field: Field) => {
    const sdk = fields[field.number];
    expect({ name, number: field.number, is: sdk?.name }).toEqual({
      name,
      number: field.number,
      is: profileName,
    });
    if (sdk === undefined) return;
    const isList = String(sdk.array) === "true";
    const kind = sdk.type === "string" ? "text" : sdk.type === "byte" ? "bytes" : isList ? "array" : "number";
    expect([name, field.kind]).toEqual([name, kind]);
    if (field.kind === "text" || field.kind === "bytes") return;
    const factor = SCALES[`${table}.${name}`] ?? 1;
    expect([name, field.scale, field.offset]).toEqual([name, one(sdk.scale) * factor, one(sdk.offset)]);
  };
  expect(message.entries.length).toBeGreaterThan(0);
  for (const [name, field] of message.entries) {
    const profileName = NAMES_IN_MESSAGES[`${table}.${name}`] ?? NAMES[name] ?? camel(name);
    check(name, profileName, field);
    if (field.kind === "number" && field.enhanced !== undefined)
      check(name, `enhanced${capital(profileName)}`, field.enhanced);
  }
});

test("streams have the numbers and scales of the FIT profile", () => {
  const listed = STREAM_KEYS.flatMap((key) =>
    (STREAM_SOURCES[key]?.fields ?? []).map(([number, scale = 1, offset = 0]) => ({
      name: sdkMessages[profile.RECORD.number]?.fields[number]?.name,
      scale,
      offset,
      sdk: sdkMessages[profile.RECORD.number]?.fields[number],
    })),
  );
  expect(listed.map(({ name }) => name)).toEqual([
    "enhancedRespirationRate",
    "respirationRate",
    "grade",
    "leftRightBalance",
    "leftTorqueEffectiveness",
    "rightTorqueEffectiveness",
    "leftPedalSmoothness",
    "rightPedalSmoothness",
    "combinedPedalSmoothness",
    "verticalOscillation",
    "stanceTime",
    "stanceTimeBalance",
    "stepLength",
    "verticalRatio",
    "depth",
  ]);
  for (const { name, scale, offset, sdk } of listed) {
    // The flag of the right side is subtracted.
    const profileOffset = name === "leftRightBalance" ? 0x80 : one(sdk?.offset);
    expect([name, scale, offset]).toEqual([name, one(sdk?.scale), profileOffset]);
  }
});

test("lists of names have the order of the FIT profile", () => {
  const found: Record<string, readonly string[]> = {
    lapTrigger: profile.LAP_TRIGGERS,
    lengthType: profile.LENGTH_TYPES,
    hrZoneCalc: profile.HR_ZONE_CALCULATIONS,
    pwrZoneCalc: profile.POWER_ZONE_CALCULATIONS,
  };
  const collect = (number: number): PartFields<null, null> => ({
    number: () => null,
    index: () => null,
    name: (names, _description, [fieldNumber]) => {
      const { type = "" } = sdkMessages[number]?.fields[fieldNumber] ?? {};
      found[type] = names;
      return null;
    },
  });
  lapFields(collect(profile.LAP.number));
  lengthFields(collect(profile.LENGTH.number));
  setFields(collect(profile.SET.number));
  expect(Object.keys(found)).toEqual(expect.arrayContaining(["intensity", "swimStroke", "setType"]));
  for (const [type, names] of Object.entries(found)) {
    const numbers = Object.keys(sdkTypes[type] ?? {});
    expect([type, numbers.map((number) => camel(names[Number(number)] ?? ""))]).toEqual([
      type,
      Object.values(sdkTypes[type] ?? {}),
    ]);
    expect([type, names.length]).toEqual([type, numbers.length]);
  }
});
