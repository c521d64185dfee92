import { readdirSync } from "node:fs";
import { Decoder, Profile, Stream } from "@garmin/fitsdk";
import { describe, expect, test } from "vitest";
import { decodeActivities, type DecodedActivity, type DecodedLap } from "../../src/fit/index.ts";
import { exerciseOf } from "../../src/fit/exercises.ts";
import { corpusFolder, folderExists, readBytes } from "../support/fitFolders.ts";

type Row = Readonly<Record<string, unknown>>;
type Rows = Readonly<Record<string, readonly Row[]>>;

const files = folderExists(corpusFolder)
  ? readdirSync(corpusFolder).filter((file) => file.endsWith(".fit"))
  : [];

function messagesOf(file: string): Rows {
  const decoder = new Decoder(Stream.fromByteArray(readBytes(corpusFolder, file)));
  const { messages } = decoder.read({ mergeHeartRates: false, convertDateTimesToDates: false });
  return JSON.parse(
    JSON.stringify(messages, (_key, value: unknown) => (typeof value === "bigint" ? Number(value) : value)),
  );
}

function activitiesOf(file: string): DecodedActivity[] {
  const result = decodeActivities(readBytes(corpusFolder, file), { fallbackStartInSeconds: null });
  return result.ok ? result.activities : [];
}

const snake = (value: unknown): string | null =>
  typeof value === "string" ? value.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) : null;
const orNull = (value: unknown): unknown => value ?? null;
/** A value that a device sets: 0 is "not set". */
const set = (...values: unknown[]): unknown =>
  values.find((value) => typeof value === "number" && value > 0) ?? null;
/** Members up to the last valid one, as numbers of three decimals. */
function list(value: unknown): (number | null)[] | null {
  if (value === undefined) return null;
  const members = [value].flat().map((one) => (typeof one === "number" ? Math.round(one * 1e3) / 1e3 : null));
  const last = members.findLastIndex((one) => one !== null);
  return last < 0 ? null : members.slice(0, last + 1);
}

/** Returns the time in zones of a session or lap as our format names it. */
function zonesOf(messages: Rows, kind: "session" | "lap", index: number, own: Row): unknown {
  const about = (messages["timeInZoneMesgs"] ?? []).filter(
    ({ referenceMesg, referenceIndex }) => referenceMesg === kind && referenceIndex === index,
  );
  const zones: Row = Object.assign({}, own, ...about);
  return {
    heart_rate: [list(zones["timeInHrZone"]), list(zones["hrZoneHighBoundary"]), snake(zones["hrCalcType"])],
    power: [
      list(zones["timeInPowerZone"]),
      list(zones["powerZoneHighBoundary"]),
      snake(zones["pwrCalcType"]),
    ],
  };
}

function ourZones(
  { time_in_zones: zones }: Pick<DecodedActivity, "time_in_zones">,
  hasDeviceZones: boolean,
): unknown {
  const rate = zones?.heart_rate;
  const power = zones?.power;
  return {
    heart_rate: [
      rate?.time_in_seconds ?? null,
      hasDeviceZones ? null : (rate?.upper_bounds_in_beats_per_minute ?? null),
      rate?.calculation ?? null,
    ],
    power: [
      power?.time_in_seconds ?? null,
      hasDeviceZones ? null : (power?.upper_bounds_in_watts ?? null),
      power?.calculation ?? null,
    ],
  };
}

function ofLap(lap: DecodedLap): Row {
  return {
    intensity: lap.intensity,
    step: lap.workout_step_index,
    stroke: lap.stroke,
    swolf: lap.average_swolf,
    active: lap.number_of_active_lengths,
    cycles: lap.total_cycles,
    minHeartRate: lap.min_heart_rate_in_beats_per_minute,
    maxTemperature: lap.max_temperature_in_celsius,
    respiration: lap.average_respiration_rate_in_breaths_per_minute,
    developerFields: lap.developer_fields.length,
  };
}

function ofSdkLap(lap: Row): Row {
  return {
    intensity: snake(lap["intensity"]),
    step: orNull(lap["wktStepIndex"]),
    stroke: snake(lap["swimStroke"]),
    swolf: orNull(lap["avgSwolf"]),
    active: orNull(lap["numActiveLengths"]),
    cycles: orNull(lap["totalCycles"]),
    minHeartRate: set(lap["minHeartRate"]),
    maxTemperature: orNull(lap["maxTemperature"]),
    respiration: orNull(lap["enhancedAvgRespirationRate"]),
    developerFields: Object.keys(lap["developerFields"] ?? {}).length,
  };
}

describe.skipIf(files.length === 0)("Details have the values that an independent library reads", () => {
  test.each(files)("%s", (file) => {
    const activities = activitiesOf(file);
    if (activities.length === 0) return;
    const messages = messagesOf(file);
    const { sessionMesgs: sessions = [], lapMesgs: laps = [], lengthMesgs: lengths = [] } = messages;
    const hasDeviceZones = "hrZoneMesgs" in messages;
    // Two chained files with a session each number their laps from 0.
    const isChained = sessions.length > 1 && sessions.every(({ messageIndex }) => messageIndex === 0);

    sessions.forEach((session, i) => {
      const activity = activities[i];
      if (activity === undefined) throw new Error("no activity");
      expect(ourZones(activity, hasDeviceZones)).toEqual(zonesOf(messages, "session", i, session));
      expect(activity.developer_fields).toHaveLength(Object.keys(session["developerFields"] ?? {}).length);
      const sport =
        messages["sportMesgs"]?.length === sessions.length ? messages["sportMesgs"][i] : undefined;
      expect(activity.profile_name).toBe(orNull(session["sportProfileName"] ?? sport?.["name"]));
      expect(activity.workout_name).toBe(orNull(messages["workoutMesgs"]?.[0]?.["wktName"]));
      const profile: Row = messages["userProfileMesgs"]?.[0] ?? {};
      const targets = messages["zonesTargetMesgs"] ?? [];
      const target = targets[targets.length > 1 ? i : 0] ?? {};
      const zone =
        messages["timeInZoneMesgs"]?.find(
          ({ referenceMesg, referenceIndex }) => referenceMesg === "session" && referenceIndex === i,
        ) ?? {};
      expect(activity.athlete).toEqual({
        max_heart_rate_in_beats_per_minute: set(
          zone["maxHeartRate"],
          target["maxHeartRate"],
          session["sport"] === "running" ? profile["defaultMaxRunningHeartRate"] : null,
          session["sport"] === "cycling" ? profile["defaultMaxBikingHeartRate"] : null,
          profile["defaultMaxHeartRate"],
        ),
        threshold_heart_rate_in_beats_per_minute: set(
          zone["thresholdHeartRate"],
          target["thresholdHeartRate"],
        ),
        resting_heart_rate_in_beats_per_minute: set(zone["restingHeartRate"], profile["restingHeartRate"]),
        functional_threshold_power_in_watts: set(
          session["thresholdPower"],
          zone["functionalThresholdPower"],
          target["functionalThresholdPower"],
        ),
        weight_in_kilograms: set(profile["weight"]),
      });
    });

    const ours = activities.flatMap((activity) => activity.laps);
    expect(ours.map(ofLap)).toEqual(laps.map(ofSdkLap));
    if (!isChained) {
      expect(ours.map((lap) => ourZones(lap, hasDeviceZones))).toEqual(
        laps.map((lap, i) => zonesOf(messages, "lap", i, lap)),
      );
    }
    expect(
      activities.flatMap((activity) =>
        activity.lengths.map((length) => [
          length.average_speed_in_meters_per_second,
          length.average_cadence_in_cycles_per_minute,
          length.stroke,
          length.strokes,
        ]),
      ),
    ).toEqual(
      lengths.map((length) => [
        orNull(length["avgSpeed"]),
        orNull(length["avgSwimmingCadence"]),
        snake(length["swimStroke"]),
        orNull(length["totalStrokes"]),
      ]),
    );
    expect(
      activities.flatMap(({ sets }) =>
        sets.map((one) => [one.type, one.repetitions, one.duration_in_seconds]),
      ),
    ).toEqual(
      (messages["setMesgs"] ?? []).map((one) => [
        snake(one["setType"]),
        orNull(one["repetitions"]),
        orNull(one["duration"]),
      ]),
    );
    const recoveries = (messages["eventMesgs"] ?? []).filter(({ event }) => event === "recoveryHr");
    expect(activities.flatMap(({ recovery_heart_rate_in_beats_per_minute: rate }) => rate ?? [])).toEqual(
      recoveries.map(({ data }) => data),
    );
  });

  test("as many files have each of them", () => {
    const counts = new Map<string, number>();
    for (const file of files) {
      const found = new Set<string>();
      for (const activity of activitiesOf(file)) {
        const { athlete, time_in_zones: zones, sets, laps } = activity;
        for (const [name, value] of Object.entries(athlete)) if (value !== null) found.add(name);
        if (zones?.heart_rate?.time_in_seconds) found.add("time in heart rate zones");
        if (zones?.power?.time_in_seconds) found.add("time in power zones");
        if (sets.length > 0) found.add("sets");
        if (activity.developer_fields.length > 0) found.add("developer fields of sessions");
        if (laps.some((lap) => lap.developer_fields.length > 0)) found.add("developer fields of laps");
        if (laps.some((lap) => lap.intensity !== null)) found.add("intensity");
        if (laps.some((lap) => lap.workout_step_index !== null)) found.add("workout_step_index");
        if (activity.profile_name !== null) found.add("profile_name");
        if (activity.workout_name !== null) found.add("workout_name");
        if (activity.recovery_heart_rate_in_beats_per_minute !== null) found.add("recovery heart rate");
      }
      for (const name of found) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    expect(Object.fromEntries(counts)).toEqual({
      max_heart_rate_in_beats_per_minute: 20,
      threshold_heart_rate_in_beats_per_minute: 12,
      resting_heart_rate_in_beats_per_minute: 8,
      functional_threshold_power_in_watts: 14,
      weight_in_kilograms: 24,
      "time in heart rate zones": 25,
      "time in power zones": 7,
      sets: 1,
      "developer fields of sessions": 8,
      "developer fields of laps": 3,
      intensity: 6,
      workout_step_index: 2,
      profile_name: 23,
      workout_name: 3,
      "recovery heart rate": 4,
    });
  });
});

test("exercises have the names of the FIT profile", () => {
  const types: Readonly<Record<string, Readonly<Record<string, string>>>> = Object.fromEntries(
    Object.entries(Profile.types),
  );
  const plain = (name: string | null) => (name ?? "").replaceAll("_", "").toLowerCase();
  const differences = Object.entries(types["exerciseCategory"] ?? {}).flatMap(([category, categoryName]) =>
    Object.entries(types[`${categoryName}ExerciseName`] ?? { 0: "" }).flatMap(([number, name]) => {
      const ours = exerciseOf(Number(category), name === "" ? undefined : Number(number));
      return plain(ours.category) === plain(categoryName) && plain(ours.name) === plain(name)
        ? []
        : [[category, number, ours, name]];
    }),
  );
  expect(differences).toEqual([]);
  expect(exerciseOf(0, 1)).toEqual({ category: "bench_press", name: "barbell_bench_press" });
  expect(exerciseOf(0, 9_999)).toEqual({ category: "bench_press", name: "unknown_9999" });
  expect(exerciseOf(48, undefined)).toEqual({ category: "unknown_48", name: null });
});
