import { readFileSync } from "node:fs";
import path from "node:path";
import { getFitSportName, getFitSubSportName } from "fit-file-parser/profile";
import { describe, expect, test } from "vitest";
import { decodeActivities, decodeParts, type DecodedActivity, type Quantities } from "../../src/fit/index.ts";
import { streamsOf } from "../support/fitDecode.ts";
import { corpusFolder, folderExists, readBytes } from "../support/fitFolders.ts";

/** Results of an independent byte-level reader for 66 public files. */
interface Expected {
  segments: { crc: "ok" | "bad" | "missing"; stopped: boolean }[];
  file_type: number;
  laps: number;
  lengths: number;
  hr_messages: number;
  sessions: Record<string, number | null>[];
  record_sums: Record<string, Sum | null>;
  rows: number;
  row_sums: Record<string, Sum | null>;
  developer_fields: string[];
  flags: string[];
}
interface Sum {
  count: number;
  sum: number;
}

const SESSION_FIELDS: Record<string, keyof Quantities> = {
  elapsed_time_in_seconds: "elapsed_time_in_seconds",
  timer_time_in_seconds: "timer_time_in_seconds",
  distance_in_meters: "distance_in_meters",
  average_heart_rate: "average_heart_rate_in_beats_per_minute",
  max_heart_rate: "max_heart_rate_in_beats_per_minute",
  average_power: "average_power_in_watts",
  max_power: "max_power_in_watts",
  ascent: "ascent_in_meters",
  descent: "descent_in_meters",
  kilocalories: "energy_in_kilocalories",
};

const STREAM_KEYS: Record<string, string> = {
  hr: "heart_rate_in_beats_per_minute",
  pow: "power_in_watts",
  cad: "cadence_in_cycles_per_minute",
  alt: "altitude_in_meters",
  temp: "temperature_in_celsius",
  dist: "distance_in_meters",
  spd: "speed_in_meters_per_second",
};

/** Smaller times count seconds since power-on. The reader returns them as dates of 1990. */
const FIRST_ABSOLUTE_TIME = 631_065_600 + 0x10000000;

/** Returns the right value where the reader returns a raw value that partners must not get. */
function expectedValue(field: string, session: Record<string, number | null>): number | null {
  const value = session[field] ?? null;
  // A heart rate of 0 is no reading.
  if ((field === "average_heart_rate" || field === "max_heart_rate") && value === 0) return null;
  // The elapsed time is at least the timer time.
  if (field === "elapsed_time_in_seconds" && value !== null) {
    return Math.max(value, session["timer_time_in_seconds"] ?? 0);
  }
  return value;
}

const found = folderExists(corpusFolder);
const expected: Record<string, Expected> = found
  ? JSON.parse(readFileSync(path.join(corpusFolder, "expected.json"), "utf8"))
  : {};

describe.skipIf(!found)("every public file", () => {
  test.each(Object.entries(expected))("%s", (file, known) => {
    const bytes = readBytes(corpusFolder, file);
    const result = decodeActivities(bytes, { fallbackStartInSeconds: null });
    if (known.sessions.length === 0 && known.file_type !== 4) {
      expect(result).toMatchObject({ ok: false, problem: { code: "not_an_activity" } });
      return;
    }
    if (!result.ok) throw new Error(result.problem.detail);
    const { activities, warnings } = result;

    expect(warnings.includes("fit_crc_mismatch")).toBe(known.segments.some(({ crc }) => crc === "bad"));
    expect(warnings.includes("fit_truncated")).toBe(
      known.segments.some(({ crc, stopped }) => stopped || crc === "missing"),
    );
    expect(warnings.includes("fit_trailing_bytes")).toBe(
      known.flags.some((flag) => flag.startsWith("trailing bytes")),
    );

    expect(activities).toHaveLength(known.sessions.length);
    known.sessions.forEach((session, i) => checkSession(session, activities[i]));
    expect(sum(activities, ({ laps }) => laps.length)).toBe(known.laps);
    expect(sum(activities, ({ lengths }) => lengths.length)).toBe(known.lengths);
    checkStreams(bytes, activities, known);
    activities.forEach((activity, sessionIndex) => {
      const parts = decodeParts(bytes, { fallbackStartInSeconds: null, sessionIndex });
      expect(parts).not.toBeNull();
      expect(activity).toMatchObject({ ...parts });
    });
  });
});

function checkSession(session: Record<string, number | null>, activity: DecodedActivity | undefined): void {
  if (activity === undefined) throw new Error("no activity");
  const { start_time_in_seconds: start, sport, sub_sport: subSport } = session;
  if (typeof start === "number" && start < FIRST_ABSOLUTE_TIME) {
    expect(activity.start_time_in_seconds).not.toBe(start);
    expect(activity.start_time_in_seconds ?? Infinity).toBeGreaterThan(FIRST_ABSOLUTE_TIME);
  } else {
    expect(activity.start_time_in_seconds).toBe(start);
  }
  for (const [field, name] of Object.entries(SESSION_FIELDS)) {
    const value = expectedValue(field, session);
    if (value === null)
      expect([name, activity[name] === null || activity.derived.includes(name)]).toEqual([name, true]);
    else expect([name, activity[name], activity.derived.includes(name)]).toEqual([name, value, false]);
  }
  if (typeof sport === "number") expect(activity.sport).toBe(getFitSportName(sport) ?? `unknown_${sport}`);
  if (typeof subSport === "number") {
    expect(activity.sub_sport).toBe(getFitSubSportName(subSport) ?? `unknown_${subSport}`);
  }
}

function checkStreams(bytes: Uint8Array, activities: readonly DecodedActivity[], known: Expected): void {
  const streams = activities.map((_, sessionIndex) => streamsOf(bytes, { sessionIndex }).columns);
  streams.forEach((columns, i) => expect(Object.keys(columns)).toEqual(activities[i]?.streams));
  expect(sum(streams, (columns) => columns["time_in_seconds"]?.length ?? 0)).toBe(known.rows);
  for (const columns of streams) {
    let last = 0;
    for (const time of columns["time_in_seconds"] ?? []) {
      if (time === null) continue;
      expect(time).toBeGreaterThanOrEqual(last);
      last = time;
    }
    for (const key of Object.keys(columns).filter((name) => name.startsWith("developer."))) {
      expect(known.developer_fields).toContain(key.slice("developer.".length));
    }
  }
  for (const [name, key] of Object.entries(STREAM_KEYS)) {
    const readings = streams.flatMap((columns, i) => {
      // The reader's sums do not include developer fields that replace a missing native field.
      const standsIn = activities[i]?.derived.includes(key) === true && known.record_sums[name] === null;
      return standsIn ? [] : (columns[key] ?? []).filter((reading) => reading !== null);
    });
    const rows = known.row_sums[name] ?? { count: 0, sum: 0 };
    // The reader does not merge stored heart rates into records.
    if (name === "hr" && known.hr_messages > 0) {
      expect(readings.length).toBeGreaterThan(rows.count);
      continue;
    }
    expect([key, readings.length]).toEqual([key, rows.count]);
    // The reader ignores the fractions of cadences.
    const total = sum(readings, (reading) => (name === "cad" ? Math.floor(reading) : reading));
    expect(Math.abs(total - rows.sum)).toBeLessThanOrEqual(1e-9 * Math.max(1e3, Math.abs(rows.sum)));
  }
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
