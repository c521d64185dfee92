import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { storedSummary } from "../../src/activities/storedSummary.pure.ts";
import { decodeActivities, type DecodedActivity } from "../../src/fit/index.ts";
import { baselineOf } from "../../src/training/baselineOf.pure.ts";
import { trainingRowOf } from "../../src/training/read.ts";
import { activityFile, T0, T0_UNIX, type Field } from "../support/fitBuilder.ts";
import { columnsOf, decode } from "../support/fitDecode.ts";
import { corpusFolder, folderExists, readBytes } from "../support/fitFolders.ts";
import { randomFrom } from "../support/fitMutants.ts";

/**
 * Compares baselines with figures that this test computes in its own way from what the athletes did, not from what was
 * decoded: per-second lists, closed forms of the weighted averages, and sums over days.
 */

const DAY = 86_400;
const FIRST_DAY = Date.UTC(2024, 0, 1) / 1_000;
const DAYS = 730;
/** Seconds between two records. */
const STEP = 10;
const NO_UNREAD = { too_many: 0, too_many_before: null, more: false };

/** What an athlete did, and what the file of it says. */
interface Session {
  sport: "cycling" | "running" | "swimming";
  start: number;
  offset: number | null;
  /** One for each record. */
  powers: number[] | null;
  heartRates: number[] | null;
  records: number;
  meters: number;
  score: number | null;
  threshold: number | null;
  statedMax: number | null;
  statedResting: number | null;
  /** Whether another device recorded the same ride better. */
  isDuplicate: boolean;
}

const SPORT_NUMBERS = { running: 1, cycling: 2, swimming: 5 };
const secondsOf = ({ records }: Session) => records * STEP;

function fileOf(session: Session): Uint8Array {
  const { sport, start, offset, powers, heartRates, records, score, threshold, statedMax } = session;
  const file = activityFile();
  const from = start - T0_UNIX;
  const length = secondsOf(session);
  if (session.statedResting !== null) file.message(3, [[8, "uint8", session.statedResting]], { local: 5 });
  if (statedMax !== null) file.message(7, [[1, "uint8", statedMax]], { local: 6 });
  for (let i = 0; i < records; i++) {
    const fields: Field[] = [];
    if (powers !== null) fields.push([7, "uint16", powers[i] ?? 0]);
    if (heartRates !== null) fields.push([3, "uint8", heartRates[i] ?? 0]);
    file.record(from + i * STEP, fields);
  }
  file.session([
    [253, "uint32", T0 + from + length],
    [2, "uint32", T0 + from],
    [5, "enum", SPORT_NUMBERS[sport]],
    [7, "uint32", length * 1_000],
    [8, "uint32", length * 1_000],
    [9, "uint32", session.meters * 100],
    ...(score === null ? [] : [[35, "uint16", score * 10] satisfies Field]),
    ...(threshold === null ? [] : [[45, "uint16", threshold] satisfies Field]),
  ]);
  if (offset !== null) {
    file.message(
      34,
      [
        [253, "uint32", T0 + from + length],
        [5, "uint32", T0 + from + length + offset],
      ],
      { local: 7 },
    );
  }
  return file.build();
}

/** Rows in the read model of the activities of a file. */
function rowsOf(bytes: Uint8Array, name: string, source: string, activities: readonly DecodedActivity[]) {
  return activities.map((activity, session_index) =>
    trainingRowOf({
      file_id: name,
      session_index,
      source,
      sport: activity.sport,
      start_time_in_seconds: activity.start_time_in_seconds,
      sha256: `${name}${bytes.length}`,
      edits: null,
      summary: storedSummary(activity),
    }),
  );
}

function shuffled<T>(list: readonly T[], seed: number): T[] {
  const random = randomFrom(seed);
  return list
    .map((item) => ({ item, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

/** The readings of each second: each holds until the next one, the last one for a second. */
function perSecond(readings: readonly number[]): number[] {
  return readings.flatMap((reading, i) =>
    Array.from({ length: i === readings.length - 1 ? 1 : STEP }, () => reading),
  );
}

const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;

function highestMean(list: readonly number[], length: number): number {
  let highest = -Infinity;
  for (let from = 0; from + length <= list.length; from++)
    highest = Math.max(highest, mean(list.slice(from, from + length)));
  return highest;
}

function normalizedPower(powers: readonly number[]): number {
  const seconds = perSecond(powers);
  const rolling = seconds.slice(29).map((_, i) => mean(seconds.slice(i, i + 30)));
  return mean(rolling.map((watts) => watts ** 4)) ** (1 / 4);
}

const impulse = (rate: number, resting: number, max: number) => {
  const reserve = Math.min(1, Math.max(0, (rate - resting) / (max - resting)));
  return (reserve * 0.64 * Math.exp(1.92 * reserve)) / 60;
};

/** Metabolic equivalents of the 2011 compendium × 6 for each hour. */
const HOURLY = { running: 9.8 * 6, cycling: 7.5 * 6, swimming: 5.8 * 6 };

function loadOf(session: Session, resting: number, max: number): number {
  const hours = secondsOf(session) / 3_600;
  const { score, powers, threshold, heartRates, statedMax, statedResting } = session;
  if (score !== null) return score;
  if (powers !== null && threshold !== null) return 100 * hours * (normalizedPower(powers) / threshold) ** 2;
  if (heartRates === null) return hours * HOURLY[session.sport];
  const own = statedMax !== null && statedResting !== null;
  const [from, to] = own ? [statedResting, statedMax] : [resting, max];
  return perSecond(heartRates).reduce((sum, rate) => sum + impulse(rate, from, to), 0);
}

const highestHeartRates = new Map<Session, number>();
function highestHeartRate(session: Session): number {
  const known = highestHeartRates.get(session);
  if (known !== undefined) return known;
  const { heartRates } = session;
  const highest = heartRates === null ? 0 : Math.round(highestMean(perSecond(heartRates), 30));
  highestHeartRates.set(session, highest);
  return highest;
}

const dayOf = ({ start, offset }: Session) => Math.floor((start + (offset ?? 0)) / DAY);

/** Returns the figures of a baseline at a time, from the sessions. */
function expectedAt(sessions: readonly Session[], now: number) {
  const past = sessions
    .filter(({ start, isDuplicate }) => start <= now && !isDuplicate)
    .sort((a, b) => a.start - b.start);
  const lastMax = past.findLast(({ statedMax }) => statedMax !== null)?.statedMax ?? 0;
  const resting = past.findLast(({ statedResting }) => statedResting !== null)?.statedResting ?? 60;
  const max = Math.max(lastMax, ...past.map(highestHeartRate));
  const loads = new Map<number, number>();
  for (const session of past)
    loads.set(dayOf(session), (loads.get(dayOf(session)) ?? 0) + loadOf(session, resting, max));
  const today = Math.max(
    Math.floor((now + (past.findLast(({ offset }) => offset !== null)?.offset ?? 0)) / DAY),
    ...past.map(dayOf),
  );
  const lastDays = (days: number) => past.filter((session) => dayOf(session) > today - days);
  const weighted = (days: number, day: number) =>
    [...loads].reduce(
      (sum, [of, load]) =>
        of > day ? sum : sum + load * (1 - Math.exp(-1 / days)) * Math.exp((of - day) / days),
      0,
    );
  const last90 = Array.from({ length: 90 }, (_, i) => today - 89 + i);
  return {
    activities: past.length,
    duplicates: sessions.filter(({ start, isDuplicate }) => start <= now && isDuplicate).length,
    load: last90.map((day) => loads.get(day) ?? 0),
    fitness: last90.map((day) => weighted(42, day)),
    fatigue: last90.map((day) => weighted(7, day)),
    averages: [7, 28, 42].map((days) => ({
      load: mean(Array.from({ length: days }, (_, i) => loads.get(today - i) ?? 0)),
      seconds: lastDays(days).reduce((sum, session) => sum + secondsOf(session), 0) / days,
      meters: lastDays(days).reduce((sum, { meters }) => sum + meters, 0) / days,
      activities: lastDays(days).length,
    })),
  };
}

interface Habits {
  seed: number;
  sportOf: (random: () => number) => Session["sport"];
  hasPower: boolean;
  offsetOf: (day: number) => number | null;
}

/** Makes two years of an athlete, with rests, second sessions of a day, and rides that two devices recorded. */
function twoYears({ seed, sportOf, hasPower, offsetOf }: Habits): Session[] {
  const random = randomFrom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const sessions: Session[] = [];
  for (let day = 0; day < DAYS; day++) {
    // Weeks of rest, one of them longer than two weeks.
    if ((day > 200 && day < 222) || random() < 0.6) continue;
    for (let part = 0; part <= (random() < 0.15 ? 1 : 0); part++) {
      const sport = sportOf(random);
      const records = 60 + below(180);
      const effort = 0.5 + random() * 0.5;
      const readings = (base: number, spread: number) =>
        Array.from({ length: records }, (_, i) =>
          Math.round(base + spread * effort * (0.6 + 0.4 * Math.sin(i / 9)) + below(12)),
        );
      const session: Session = {
        sport,
        start: FIRST_DAY + day * DAY + (part === 0 ? 6 : 17) * 3_600 + below(3_600),
        offset: offsetOf(day),
        powers: hasPower && sport === "cycling" ? readings(90, 260) : null,
        heartRates: sport === "swimming" ? null : readings(95, 85),
        records,
        meters: records * 40,
        score: random() < 0.05 ? 40 + below(60) : null,
        threshold: hasPower && random() < 0.9 ? 240 + Math.floor(day / 100) : null,
        statedMax: random() < 0.1 ? 182 + below(8) : null,
        statedResting: random() < 0.1 ? 48 + below(6) : null,
        isDuplicate: false,
      };
      sessions.push(session);
      if (random() > 0.1 || session.powers === null) continue;
      sessions.push({ ...session, start: session.start + 20, powers: null, score: null, isDuplicate: true });
    }
  }
  return sessions;
}

const ATHLETES: (Habits & { name: string })[] = [
  {
    name: "a cyclist with power, in Zurich",
    seed: 1,
    sportOf: () => "cycling",
    hasPower: true,
    offsetOf: (day) => (day % 365 > 90 && day % 365 < 300 ? 7_200 : 3_600),
  },
  {
    name: "a runner with heart rate, in Auckland",
    seed: 2,
    sportOf: () => "running",
    hasPower: false,
    offsetOf: () => 43_200,
  },
  {
    name: "a triathlete who travels, with devices that know no local time",
    seed: 3,
    sportOf: (random) => (["cycling", "running", "swimming"] as const)[Math.floor(random() * 3)] ?? "cycling",
    hasPower: true,
    offsetOf: (day) => [null, -28_800, 20_700][Math.floor(day / 40) % 3] ?? null,
  },
];

describe("a baseline of two years equals figures computed from what the athlete did", () => {
  test.each(ATHLETES)("$name", (habits) => {
    const sessions = twoYears(habits);
    const rows = sessions.flatMap((session, i) => {
      const bytes = fileOf(session);
      return rowsOf(bytes, `file${i}`, session.isDuplicate ? "app" : "watch", decode(bytes).activities);
    });
    expect(rows.length).toBe(sessions.length);
    for (let day = 9; day <= DAYS; day += 80) {
      const now = FIRST_DAY + day * DAY + 12 * 3_600;
      const options = { user_id: "user-1", nowMs: now * 1_000, source_order: [], unread: NO_UNREAD };
      const baseline = baselineOf(rows, options);
      for (const seed of [4, 5]) expect(baselineOf(shuffled(rows, seed), options)).toEqual(baseline);
      const expected = expectedAt(sessions, now);
      expect(baseline.activities).toBe(expected.activities);
      expect(baseline.left_out.duplicates).toBe(expected.duplicates);
      expected.load.forEach((load, i) => {
        // Each load is rounded to 0.1.
        expect(Math.abs((baseline.days.load[i] ?? NaN) - load)).toBeLessThanOrEqual(0.01 * load + 0.1);
        expect(Math.abs((baseline.days.fitness[i] ?? NaN) - (expected.fitness[i] ?? NaN))).toBeLessThan(0.1);
        expect(Math.abs((baseline.days.fatigue[i] ?? NaN) - (expected.fatigue[i] ?? NaN))).toBeLessThan(0.1);
      });
      expected.averages.forEach(({ load, seconds, meters, activities }, i) => {
        const average = baseline.averages[i];
        expect(average?.activities).toBe(activities);
        expect(Math.abs((average?.load_per_day ?? NaN) - load)).toBeLessThan(0.1);
        expect(Math.abs((average?.duration_in_seconds_per_day ?? NaN) - seconds)).toBeLessThan(0.1);
        expect(Math.abs((average?.distance_in_meters_per_day ?? NaN) - meters)).toBeLessThan(0.1);
      });
    }
  });
});

/** Of readings with longer times between them, some seconds may have none. */
const NO_GAP_SECONDS = 10;

/** Returns the training impulse of a heart rate stream. Null for one with gaps, in which the timer may have stopped. */
function impulseOfStream(
  bytes: Uint8Array,
  sessionIndex: number,
  resting: number,
  max: number,
): number | null {
  const columns = columnsOf(bytes, { sessionIndex });
  const rates = columns["heart_rate_in_beats_per_minute"] ?? [];
  const times = columns["time_in_seconds"] ?? [];
  let sum = 0;
  for (const [i, time] of times.entries()) {
    const rate = rates[i] ?? null;
    const next = i + 1 < times.length ? (times[i + 1] ?? null) : (time ?? 0) + 1;
    if (time === null || rate === null || next === null || next - time > NO_GAP_SECONDS) return null;
    sum += (next - time) * impulse(rate, resting, max);
  }
  return sum;
}

test.skipIf(!folderExists(corpusFolder))(
  "the heart rate load of real files equals one that is computed from their streams",
  () => {
    const compared: { file: string; load: number; expected: number }[] = [];
    for (const file of readdirSync(corpusFolder).filter((name) => name.endsWith(".fit"))) {
      const bytes = readBytes(corpusFolder, file);
      const result = decodeActivities(bytes, { fallbackStartInSeconds: null });
      for (const [index, activity] of (result.ok ? result.activities : []).entries()) {
        const nowMs = ((activity.start_time_in_seconds ?? 0) + 3_600) * 1_000;
        const baseline = baselineOf(rowsOf(bytes, file, "watch", [activity]), {
          user_id: "user-1",
          nowMs,
          source_order: [],
          unread: NO_UNREAD,
        });
        const [ofBasis] = baseline.load_bases;
        const { heart_rate_bounds: bounds } = baseline;
        if (ofBasis?.basis !== "heart_rate" || bounds === null) continue;
        const [resting, max] = [bounds.resting.beats_per_minute, bounds.max.beats_per_minute];
        const expected = impulseOfStream(bytes, index, resting, max);
        if (expected !== null) compared.push({ file, load: ofBasis.load, expected });
      }
    }
    expect(compared.length).toBeGreaterThan(5);
    for (const { file, load, expected } of compared)
      expect([file, Math.abs(load - expected) <= 0.01 * expected + 0.1]).toEqual([file, true]);
  },
);
