import { readdirSync } from "node:fs";
import { Decoder, Stream } from "@garmin/fitsdk";
import FitParser from "fit-file-parser";
import { describe, expect, test } from "vitest";
import { decodeActivities, decodeStreams, type DecodedActivity } from "../../src/fit/index.ts";
import { rrOf } from "../support/fitDecode.ts";
import { corpusFolder, folderExists, readBytes } from "../support/fitFolders.ts";

/** Fields of a session: our name, fit-file-parser's names and the SDK's names. The first field that exists is compared; none when the library does not know it. */
const FIELDS: readonly (readonly [ours: keyof DecodedActivity, parser: string[], sdk: string[]])[] = [
  ["elapsed_time_in_seconds", ["total_elapsed_time"], ["totalElapsedTime"]],
  ["timer_time_in_seconds", ["total_timer_time"], ["totalTimerTime"]],
  ["moving_time_in_seconds", ["total_moving_time", "active_time"], ["totalMovingTime", "activeTime"]],
  ["distance_in_meters", ["total_distance"], ["totalDistance"]],
  ["max_speed_in_meters_per_second", ["enhanced_max_speed", "max_speed"], ["enhancedMaxSpeed", "maxSpeed"]],
  ["average_heart_rate_in_beats_per_minute", ["avg_heart_rate"], ["avgHeartRate"]],
  ["max_heart_rate_in_beats_per_minute", ["max_heart_rate"], ["maxHeartRate"]],
  ["average_power_in_watts", ["avg_power"], ["avgPower"]],
  ["max_power_in_watts", ["max_power"], ["maxPower"]],
  ["normalized_power_in_watts", ["normalized_power"], ["normalizedPower"]],
  ["ascent_in_meters", ["total_ascent"], ["totalAscent"]],
  ["descent_in_meters", ["total_descent"], ["totalDescent"]],
  ["energy_in_kilocalories", ["total_calories"], ["totalCalories"]],
  ["average_temperature_in_celsius", ["avg_temperature"], ["avgTemperature"]],
  ["training_stress_score", ["training_stress_score"], ["trainingStressScore"]],
  ["intensity_factor", ["intensity_factor"], ["intensityFactor"]],
  ["threshold_power_in_watts", ["threshold_power"], ["thresholdPower"]],
  ["training_effect_aerobic", ["total_training_effect"], ["totalTrainingEffect"]],
  ["pool_length_in_meters", ["pool_length"], ["poolLength"]],
  ["number_of_lengths", ["num_lengths"], ["numLengths"]],
  ["min_heart_rate_in_beats_per_minute", ["min_heart_rate"], ["minHeartRate"]],
  ["max_temperature_in_celsius", ["max_temperature"], ["maxTemperature"]],
  [
    "min_altitude_in_meters",
    ["enhanced_min_altitude", "min_altitude"],
    ["enhancedMinAltitude", "minAltitude"],
  ],
  [
    "max_altitude_in_meters",
    ["enhanced_max_altitude", "max_altitude"],
    ["enhancedMaxAltitude", "maxAltitude"],
  ],
  [
    "average_respiration_rate_in_breaths_per_minute",
    ["enhanced_avg_respiration_rate", "avg_respiration_rate"],
    ["enhancedAvgRespirationRate", "avgRespirationRate"],
  ],
  ["total_cycles", ["total_cycles"], ["totalCycles"]],
  ["average_swolf", [], ["avgSwolf"]],
  ["training_load_peak", ["training_load_peak"], ["trainingLoadPeak"]],
  ["perceived_exertion", ["workout_rpe"], ["workoutRpe"]],
  ["feel", ["workout_feel"], ["workoutFeel"]],
];
/** Half of the last decimal of the API. */
const TOLERANCE = 0.0051;

const ELAPSED = ["elapsed_time_in_seconds"];
const HEART_RATES = ["average_heart_rate_in_beats_per_minute", "max_heart_rate_in_beats_per_minute"];
const START = ["start_time_in_seconds"];
/** Fields where both libraries return a raw value that partners must not get. */
const EXCEPTIONS: Readonly<Record<string, { fields: readonly string[]; because: string }>> = {
  "0134902991.fit": { fields: HEART_RATES, because: "a heart rate of 0 is no reading" },
  "null_compressed_speed_dist.fit": {
    fields: [...ELAPSED, ...HEART_RATES],
    because: "a heart rate of 0 is no reading, and the timer ran longer than the elapsed time",
  },
  "activity_424479793.fit": { fields: ELAPSED, because: "the timer ran longer than the elapsed time" },
  "snorkeling-unknown-sport.fit": { fields: ELAPSED, because: "the timer ran longer than the elapsed time" },
  "suunto-weight.fit": { fields: ELAPSED, because: "the timer ran longer than the elapsed time" },
  "zwift_non_utf8_20260130.fit": { fields: ELAPSED, because: "the timer ran longer than the elapsed time" },
  "activity_217470507.fit": { fields: START, because: "its clock was never set: both return 1989" },
  "antfs-dump.63.fit": { fields: START, because: "its clock was never set: both return 1990" },
  "compressed-speed-distance.fit": { fields: START, because: "its clock was never set: both return 1990" },
};
/** fit-file-parser stops after the first chained file. */
const PARSER_LOSES_SESSIONS: ReadonlySet<string> = new Set(["activity-activity-filecrc.fit"]);

/** Streams that fields of records fill as they are: our key, the SDK's name. */
const STREAMS: readonly (readonly [ours: string, sdk: string])[] = [
  ["grade_in_percent", "grade"],
  ["respiration_rate_in_breaths_per_minute", "enhancedRespirationRate"],
  ["left_torque_effectiveness_in_percent", "leftTorqueEffectiveness"],
  ["right_torque_effectiveness_in_percent", "rightTorqueEffectiveness"],
  ["left_pedal_smoothness_in_percent", "leftPedalSmoothness"],
  ["right_pedal_smoothness_in_percent", "rightPedalSmoothness"],
  ["combined_pedal_smoothness_in_percent", "combinedPedalSmoothness"],
  ["vertical_oscillation_in_millimeters", "verticalOscillation"],
  ["stance_time_in_milliseconds", "stanceTime"],
  ["stance_time_balance_in_percent", "stanceTimeBalance"],
  ["step_length_in_millimeters", "stepLength"],
  ["vertical_ratio_in_percent", "verticalRatio"],
  ["depth_in_meters", "depth"],
];
/** No public file has it. */
const UNCOMPARED = "combined_pedal_smoothness_in_percent";
const BALANCE = "right_balance_in_percent";
const RIGHT_FLAG = 0x80;

type Session = Readonly<Record<string, unknown>>;

async function parserSessions(bytes: Uint8Array): Promise<readonly Session[]> {
  const parser = new FitParser({
    force: true,
    mode: "list",
    lengthUnit: "m",
    speedUnit: "m/s",
    temperatureUnit: "celsius",
  });
  const { sessions } = await parser.parseAsync(bytes.slice().buffer);
  return (sessions ?? []).map((session) => ({ ...session }));
}

function sdkSessions(bytes: Uint8Array): readonly Session[] {
  const { messages } = new Decoder(Stream.fromByteArray(bytes)).read({ mergeHeartRates: false });
  return (messages.sessionMesgs ?? []).map((session) => ({ ...session }));
}

function compare(
  file: string,
  activities: readonly DecodedActivity[],
  sessions: readonly Session[],
  library: 1 | 2,
): void {
  const excepted = new Set(EXCEPTIONS[file]?.fields);
  expect(activities).toHaveLength(sessions.length);
  sessions.forEach((session, i) => {
    const activity = activities[i];
    if (activity === undefined) throw new Error("no activity");
    const differences: unknown[] = [];
    const check = (name: keyof DecodedActivity, theirs: number | null) => {
      const ours = activity.derived.includes(name) ? null : activity[name];
      const isSame =
        typeof ours === "number" && theirs !== null ? Math.abs(ours - theirs) <= TOLERANCE : ours === theirs;
      // An exception that is no longer needed must be removed from the list.
      if (isSame === excepted.has(name)) differences.push([name, ours, theirs]);
    };
    for (const field of FIELDS.filter(({ [library]: names }) => names.length > 0)) {
      const theirs = field[library].map((name) => session[name]).find((value) => typeof value === "number");
      check(field[0], theirs ?? null);
    }
    const start = session[library === 1 ? "start_time" : "startTime"];
    const started = typeof start === "number" || typeof start === "string" || start instanceof Date;
    check("start_time_in_seconds", started ? new Date(start).getTime() / 1000 : null);
    expect(differences).toEqual([]);
  });
}

const files = folderExists(corpusFolder)
  ? readdirSync(corpusFolder).filter((file) => file.endsWith(".fit"))
  : [];

describe.skipIf(files.length === 0)("Sessions have the values that two independent libraries read", () => {
  test.each(files)("%s", async (file) => {
    const bytes = readBytes(corpusFolder, file);
    const result = decodeActivities(bytes, { fallbackStartInSeconds: null });
    if (!result.ok) return;
    compare(file, result.activities, sdkSessions(bytes), 2);
    if (!PARSER_LOSES_SESSIONS.has(file)) compare(file, result.activities, await parserSessions(bytes), 1);
  });
});

/** Returns the numbers of intervals in the file by message, as the SDK reads them. */
function sdkIntervals(bytes: Uint8Array): Readonly<Record<string, number[]>> {
  const { messages } = new Decoder(Stream.fromByteArray(bytes)).read({ mergeHeartRates: false });
  const listOf = (value: unknown) => [value].flat().filter((member) => typeof member === "number");
  const beatsOf = ({ time, gap }: Readonly<Record<string, unknown>>) => {
    const gaps = [gap].flat();
    return listOf(time).filter((_, i) => gaps[i] !== 1);
  };
  return {
    hrv: (messages.hrvMesgs ?? []).flatMap((message) => listOf(message.time)),
    beat_intervals: (messages.beatIntervalsMesgs ?? []).flatMap((message) =>
      listOf(message.time).map((milliseconds) => milliseconds / 1000),
    ),
    raw_bbi: (messages.rawBbiMesgs ?? []).flatMap((message) =>
      beatsOf({ ...message }).map((milliseconds) => milliseconds / 1000),
    ),
  };
}

describe.skipIf(files.length === 0)(
  "Beat-to-beat intervals are those that an independent library reads",
  () => {
    test.each(files)("%s", (file) => {
      const bytes = readBytes(corpusFolder, file);
      const result = decodeActivities(bytes, { fallbackStartInSeconds: null });
      if (!result.ok) return;
      const intervals = result.activities.map((_, index) => rrOf(bytes, index));
      for (const [source, expected] of Object.entries(sdkIntervals(bytes))) {
        const ours = intervals.filter((one) => one.source === source);
        expect(ours.flatMap((one) => one.intervals_in_seconds)).toEqual(expected);
      }
      expect(result.activities.map((activity) => activity.has_rr_intervals)).toEqual(
        intervals.map(({ source }) => source !== null),
      );
    });
  },
);

/** Returns the readings of each key in all sessions of a file, in order. */
function readingsOf(bytes: Uint8Array, sessions: number, keys: readonly string[]) {
  const ofSessions = Array.from({ length: sessions }, (_, sessionIndex) =>
    decodeStreams(bytes, { sessionIndex, keys, resolution: null, fallbackStartInSeconds: null }),
  );
  return (key: string) =>
    ofSessions.flatMap((streams) => (streams?.columns[key] ?? []).filter((reading) => reading !== null));
}

/** Returns the SDK's values of a field, the first of each timestamp, since consecutive records of one timestamp are one row. */
function sdkReadings(records: readonly Readonly<Record<string, unknown>>[], name: string): number[] {
  let last: unknown;
  return records.flatMap(({ timestamp, [name]: value }) => {
    if (typeof value !== "number" || (timestamp !== undefined && timestamp === last)) return [];
    last = timestamp;
    return [value];
  });
}

describe.skipIf(files.length === 0)("Streams have the values that the SDK reads", () => {
  const compared = new Map<string, number>();
  test.each(files)("%s", (file) => {
    const bytes = readBytes(corpusFolder, file);
    const result = decodeActivities(bytes, { fallbackStartInSeconds: null });
    if (!result.ok) return;
    const { messages } = new Decoder(Stream.fromByteArray(bytes)).read({
      mergeHeartRates: false,
      convertTypesToStrings: false,
      convertDateTimesToDates: false,
    });
    const records = (messages.recordMesgs ?? []).map((record) => ({ ...record }));
    const keys = [...STREAMS.map(([key]) => key), BALANCE];
    const readings = readingsOf(bytes, result.activities.length, keys);
    const derived = new Set(result.activities.flatMap((activity) => activity.derived));
    for (const [ours, name] of STREAMS) {
      if (derived.has(ours)) continue;
      expect([ours, readings(ours)]).toEqual([ours, sdkReadings(records, name)]);
      const hasReadings = readings(ours).length > 0;
      if (hasReadings) compared.set(ours, (compared.get(ours) ?? 0) + 1);
      const isListed = result.activities.some(({ streams }) => streams.includes(ours));
      expect([ours, isListed]).toEqual([ours, hasReadings]);
    }
    const shares = sdkReadings(records, "leftRightBalance").flatMap((wire) =>
      (wire & RIGHT_FLAG) === 0 ? [] : [wire & ~RIGHT_FLAG],
    );
    expect(readings(BALANCE)).toEqual(shares);
  });
  test("at least two files have each stream but one", () => {
    const rare = STREAMS.flatMap(([key]) => ((compared.get(key) ?? 0) < 2 ? [key] : []));
    expect(rare).toEqual([UNCOMPARED]);
  });
});
