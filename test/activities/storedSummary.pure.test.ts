import { expect, test } from "vitest";
import { parseLoadLine } from "../../src/activities/storedLoad.pure.ts";
import { MAX_SUMMARY_BYTES, parseSummary, storedSummary } from "../../src/activities/storedSummary.pure.ts";
import { quantities } from "../../src/fit/quantities.ts";

/** A row as the first release wrote it. Every release must read it like this. */
const FIRST_RELEASE = [
  '2\t"road"\t3600\t81.5\t0.81\t280\t3.1\t0.4\t\t\t\t47.3769012\t8.5417',
  "3723.5\t3600\t3500\t30012.34\t8.337\t15.2\t140.5\t171\t180.3\t612\t205\t649.1\t85.25\t113\t\t411.5\t409\t802\t18.4",
  'qb\tc2\ts6\t"another field"',
  's0\ts1\ts6\t"developer.Power, left"',
].join("\n");

const READ = {
  session_count: 2,
  sub_sport: "road",
  utc_offset_in_seconds: 3600,
  training_stress_score: 81.5,
  intensity_factor: 0.81,
  threshold_power_in_watts: 280,
  training_effect_aerobic: 3.1,
  training_effect_anaerobic: 0.4,
  pool_length_in_meters: null,
  number_of_lengths: null,
  number_of_active_lengths: null,
  start_latitude_in_degrees: 47.3769012,
  start_longitude_in_degrees: 8.5417,
  elapsed_time_in_seconds: 3723.5,
  timer_time_in_seconds: 3600,
  moving_time_in_seconds: 3500,
  distance_in_meters: 30012.34,
  average_speed_in_meters_per_second: 8.337,
  max_speed_in_meters_per_second: 15.2,
  average_heart_rate_in_beats_per_minute: 140.5,
  max_heart_rate_in_beats_per_minute: 171,
  average_power_in_watts: 180.3,
  max_power_in_watts: 612,
  normalized_power_in_watts: 205,
  work_in_kilojoules: 649.1,
  average_cadence_in_cycles_per_minute: 85.25,
  max_cadence_in_cycles_per_minute: 113,
  average_steps_per_minute: null,
  ascent_in_meters: 411.5,
  descent_in_meters: 409,
  energy_in_kilocalories: 802,
  average_temperature_in_celsius: 18.4,
  derived: ["work_in_kilojoules", "start_time_in_seconds", "heart_rate_in_beats_per_minute", "another field"],
  streams: [
    "time_in_seconds",
    "distance_in_meters",
    "heart_rate_in_beats_per_minute",
    "developer.Power, left",
  ],
};

const [own = "", measured = "", derived = "", streams = ""] = FIRST_RELEASE.split("\n");

test("a summary that the first release wrote is read as it was", () => {
  expect(parseSummary(FIRST_RELEASE)).toMatchObject(READ);
  expect(parseSummary(storedSummary(parseSummary(FIRST_RELEASE)))).toEqual(parseSummary(FIRST_RELEASE));
});

test("names that the first release stored as references keep their meaning", () => {
  const references = (letter: string, count: number) =>
    Array.from({ length: count }, (_, position) => letter + position.toString(36)).join("\t");
  const lists = [
    ["c", 3],
    ["o", 13],
    ["q", 19],
  ] as const;
  const stored = [
    "",
    "",
    lists.map(([letter, count]) => references(letter, count)).join("\t"),
    references("s", 10),
  ];
  const names = Object.keys(READ).filter((name) => name !== "derived" && name !== "streams");
  expect(parseSummary(stored.join("\n"))).toMatchObject({
    derived: ["session_index", "sport", "start_time_in_seconds", ...names],
    streams: [
      "time_in_seconds",
      "distance_in_meters",
      "latitude_in_degrees",
      "longitude_in_degrees",
      "altitude_in_meters",
      "speed_in_meters_per_second",
      "heart_rate_in_beats_per_minute",
      "power_in_watts",
      "cadence_in_cycles_per_minute",
      "temperature_in_celsius",
    ],
  });
});

/** The ends of the lines with fields and quantities, as the release wrote them that added these. */
const LATER = ['105.03\t7\t75\t91\t"Trail Run"\t"6 x 1 km"', "84\t27\t163.2\t1706\t28.38\t5062\t35"] as const;
const READ_LATER = {
  training_load_peak: 105.03,
  perceived_exertion: 7,
  feel: 75,
  recovery_heart_rate_in_beats_per_minute: 91,
  profile_name: "Trail Run",
  workout_name: "6 x 1 km",
  min_heart_rate_in_beats_per_minute: 84,
  max_temperature_in_celsius: 27,
  min_altitude_in_meters: 163.2,
  max_altitude_in_meters: 1706,
  average_respiration_rate_in_breaths_per_minute: 28.38,
  total_cycles: 5062,
  average_swolf: 35,
};

test("fields that a later release added are stored after those of the first release", () => {
  const later = [`${own}\t${LATER[0]}`, `${measured}\t${LATER[1]}`, "", "s0"].join("\n");
  expect(parseSummary(later)).toMatchObject({
    ...READ,
    ...READ_LATER,
    derived: [],
    streams: ["time_in_seconds"],
  });
  expect(storedSummary(parseSummary(later))).toBe(later);
});

test("a summary of a newer release is read without the fields that this release does not know", () => {
  const more = "\t1\t2\t".repeat(30);
  const newer = [
    `${own}${more}\t{"nested":[1]}`,
    `${measured}${more}"text"`,
    `${derived}\tqzz\tx1`,
    `${streams}\tszz`,
    `400,300\t\t\t1\t\t\t\t\t\t"more"`,
    "a line more",
  ];
  expect(parseSummary(newer.join("\n"))).toMatchObject(READ);
});

test("fields that an older release did not write are null, or false for a flag", () => {
  const older = [own.slice(0, own.indexOf("\t3600")), measured.split("\t").slice(0, 3).join("\t"), "", ""];
  const nothing = Object.fromEntries(Object.keys(parseSummary(FIRST_RELEASE)).map((name) => [name, null]));
  expect(parseSummary(older.join("\n"))).toEqual({
    ...nothing,
    session_count: 2,
    sub_sport: "road",
    elapsed_time_in_seconds: 3723.5,
    timer_time_in_seconds: 3600,
    moving_time_in_seconds: 3500,
    has_rr_intervals: false,
    ...parseLoadLine(undefined, null),
    derived: [],
    streams: [],
  });
  expect(parseSummary("")).toMatchObject({ session_count: 0, sub_sport: null, derived: [], streams: [] });
});

test("a value of another type is null", () => {
  const [, ...others] = own.split("\t");
  const changed = [["2", "17", ...others.slice(1)].join("\t"), measured.replace("3723.5", '"long"')];
  expect(parseSummary(changed.join("\n"))).toMatchObject({ sub_sport: null, elapsed_time_in_seconds: null });
});

test("names may have any character but are stored on their line", () => {
  const summary = {
    ...parseSummary(FIRST_RELEASE),
    sub_sport: 'a\tb\nc"',
    derived: ["\n\t"],
    streams: ["s0"],
  };
  expect(parseSummary(storedSummary(summary))).toEqual(summary);
});

test("the summaries of 100 sessions with long names take at most 256 KiB", () => {
  const streams = Array.from({ length: 255 }, (_, field) => `developer.${"語".repeat(64)}${field}`);
  const summary = {
    ...parseSummary(FIRST_RELEASE),
    ...quantities(() => 123456.789),
    session_count: 100,
    streams,
  };
  const stored = storedSummary(summary);
  expect(100 * new TextEncoder().encode(stored).byteLength).toBeLessThanOrEqual(MAX_SUMMARY_BYTES);
  expect(parseSummary(stored).streams.length).toBeGreaterThan(5);
  expect(parseSummary(storedSummary({ ...summary, session_count: 1 })).streams).toEqual(streams);
});

test("local time and recording device are stored after the fields of the releases before", () => {
  const local = {
    offset_source: "position" as const,
    time_zone: "Etc/GMT+3",
    recorded_with: "Garmin Edge 820",
  };
  const stored = storedSummary({ ...parseSummary(FIRST_RELEASE), ...READ_LATER, ...local });
  expect(stored.split("\n")[0]).toBe(`${own}\t${LATER[0]}\t\t"position"\t"Etc/GMT+3"\t"Garmin Edge 820"`);
  expect(parseSummary(stored)).toMatchObject({ ...READ, ...READ_LATER, ...local });
});

test("a flag is stored only where it is true", () => {
  const summary = parseSummary(FIRST_RELEASE);
  const lengthOf = (has_rr_intervals: boolean) => storedSummary({ ...summary, has_rr_intervals }).length;
  expect(lengthOf(false)).toBe(storedSummary(summary).length);
  expect(lengthOf(true)).toBeGreaterThan(lengthOf(false));
  expect(parseSummary(storedSummary({ ...summary, has_rr_intervals: true })).has_rr_intervals).toBe(true);
});

test("best efforts and what the training load is computed from are stored on a line of their own", () => {
  const load = {
    best_efforts: {
      durations_in_seconds: [5, 30, 60, 300, 600, 1200, 3600],
      power_in_watts: [812, 640, 511, 320, null, null, null],
      heart_rate_in_beats_per_minute: null,
      speed_in_meters_per_second: [null, 1.166, 1.055, null, null, null, null],
    },
    load_evidence: {
      power_coverage: 0.993,
      heart_rate_histogram: "s,gr,,q4",
      functional_threshold_power_in_watts: 280,
      threshold_heart_rate_in_beats_per_minute: null,
      max_heart_rate_in_beats_per_minute: 191,
      resting_heart_rate_in_beats_per_minute: 48,
    },
  };
  const stored = storedSummary({ ...parseSummary(FIRST_RELEASE), ...load });
  // The threshold power equals that of the session, which is stored already.
  expect(stored.split("\n")[4]).toBe("812,640,511,320\t\t,1.166,1.055\t0.993\ts,gr,,q4\t\t\t191\t48");
  expect(parseSummary(stored)).toEqual({ ...parseSummary(FIRST_RELEASE), ...load });
  const other = {
    ...load,
    load_evidence: { ...load.load_evidence, functional_threshold_power_in_watts: 275 },
  };
  const stored2 = storedSummary({ ...parseSummary(FIRST_RELEASE), ...other });
  expect(parseSummary(stored2)).toEqual({ ...parseSummary(FIRST_RELEASE), ...other });
});
