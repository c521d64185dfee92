import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { EFFORT_SECONDS } from "../../src/fit/bestEfforts.ts";
import { heartRateTimes } from "../../src/fit/heartRateHistogram.ts";
import type { DecodedActivity } from "../../src/fit/index.ts";
import { activityFile, T0, type Field } from "../support/fitBuilder.ts";
import { columnsOf, decode, decodeOne } from "../support/fitDecode.ts";
import { corpusFolder, folderExists } from "../support/fitFolders.ts";

const watts = (power: number): Field => [7, "uint16", power];
const rate = (beats: number): Field => [3, "uint8", beats];
const speed = (metersPerSecond: number): Field => [6, "uint16", metersPerSecond * 1000];
const timerEvent = (second: number, type: number): Field[] => [
  [253, "uint32", T0 + second],
  [0, "enum", 0],
  [1, "enum", type],
];
const STOP = 4;
const START = 0;
const seconds = (from: number, to: number, step = 1) =>
  Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => from + i * step);
const session = (elapsed: number, timer = elapsed): Field[] => [
  [7, "uint32", elapsed * 1000],
  [8, "uint32", timer * 1000],
];

describe("best efforts", () => {
  test("of an hour at a constant power are that power, for every duration up to the hour", () => {
    const file = activityFile();
    for (const second of seconds(0, 3600)) file.record(second, [watts(250), rate(150), speed(10)]);
    const { best_efforts: best, training_load } = decodeOne(
      file.session([...session(3600), [45, "uint16", 250]]).build(),
    );
    expect(best.durations_in_seconds).toEqual([5, 30, 60, 300, 600, 1200, 3600]);
    expect(best.power_in_watts).toEqual(Array(7).fill(250));
    expect(best.heart_rate_in_beats_per_minute).toEqual(Array(7).fill(150));
    expect(best.speed_in_meters_per_second).toEqual(Array(7).fill(10));
    expect(training_load).toEqual({ value: 100, basis: "power", coverage: 1 });
  });

  test("find each interval wherever it is, and none for a duration longer than the activity", () => {
    const file = activityFile();
    const powerAt = (second: number) =>
      second >= 400 && second < 430 ? 600 : second >= 900 && second < 905 ? 1000 : 100;
    for (const second of seconds(0, 1199)) file.record(second, [watts(powerAt(second))]);
    const { power_in_watts } = decodeOne(file.session(session(1199)).build()).best_efforts;
    expect(power_in_watts).toEqual([1000, 600, 350, 150, 133, null, null]);
  });

  test("of records that smart recording wrote hold each reading until the next, for at most 10 s", () => {
    const file = activityFile();
    for (const second of seconds(0, 600, 8)) file.record(second, [watts(200)]);
    const every8 = decodeOne(file.session(session(600)).build());
    expect(every8.best_efforts.power_in_watts).toEqual([200, 200, 200, 200, null, null, null]);
    expect(every8.load_evidence.power_coverage).toBeCloseTo(593 / 600, 2);
    const sparse = activityFile();
    for (const second of seconds(0, 600, 30)) sparse.record(second, [watts(200), rate(150)]);
    const every30 = decodeOne(sparse.session(session(600)).build());
    expect(every30.best_efforts.power_in_watts).toEqual([200, null, null, null, null, null, null]);
    expect(heartRateTimes(every30.load_evidence.heart_rate_histogram)[0]?.seconds).toBe(571);
  });

  test("count a drop-out of power as 0 W, and have none where more than a tenth is missing", () => {
    const withGap = (gap: number) => {
      const file = activityFile();
      for (const second of seconds(0, 300)) {
        const isMissing = second >= 100 && second < 100 + gap;
        file.record(second, [rate(140), ...(isMissing ? [] : [watts(300)])]);
      }
      return decodeOne(file.session(session(300)).build()).best_efforts;
    };
    // A reading holds for 10 s: 30 of the 300 seconds are missing, then 31.
    expect(withGap(39).power_in_watts?.[3]).toBe(270);
    expect(withGap(40).power_in_watts?.[3]).toBeNull();
    expect(withGap(40).power_in_watts?.[2]).toBe(300);
    expect(withGap(40).heart_rate_in_beats_per_minute?.[3]).toBe(140);
  });

  test("keep the heart rate over a drop-out, instead of an average that is too low", () => {
    const file = activityFile();
    for (const second of seconds(0, 300)) {
      const isMissing = second >= 100 && second < 130;
      file.record(second, [watts(100), ...(isMissing ? [] : [rate(160)])]);
    }
    const activity = decodeOne(file.session(session(300)).build());
    expect(activity.best_efforts.heart_rate_in_beats_per_minute?.[3]).toBe(160);
  });

  test("never hold a reading into a pause, and no long effort contains a long pause", () => {
    const file = activityFile();
    for (const second of seconds(0, 600)) file.record(second, [watts(300)]);
    file.message(21, timerEvent(600, STOP));
    file.message(21, timerEvent(900, START));
    for (const second of seconds(900, 1500)) file.record(second, [watts(300)]);
    const { power_in_watts } = decodeOne(file.session(session(1500, 1200)).build()).best_efforts;
    expect(power_in_watts).toEqual([300, 300, 300, 300, 300, null, null]);
  });

  test("count the seconds without a reading after a pause as missing", () => {
    const file = activityFile();
    for (const second of seconds(0, 300)) file.record(second, [watts(200), rate(150)]);
    file.message(21, timerEvent(300, STOP)).message(21, timerEvent(310, START));
    for (const second of seconds(310, 350)) file.record(second, [rate(150)]);
    for (const second of seconds(350, 600)) file.record(second, [watts(200), rate(150)]);
    const { power_in_watts } = decodeOne(file.session(session(600, 590)).build()).best_efforts;
    expect(power_in_watts).toEqual([200, 200, 200, 200, 183, null, null]);
  });

  test("ignore records that were written while the timer was stopped", () => {
    const file = activityFile();
    for (const second of seconds(0, 60)) file.record(second, [rate(120)]);
    file.message(21, timerEvent(60, STOP));
    for (const second of seconds(60, 120)) file.record(second, [rate(180)]);
    file.message(21, timerEvent(120, START));
    for (const second of seconds(120, 200)) file.record(second, [rate(120)]);
    const activity = decodeOne(file.session(session(200, 140)).build());
    expect(activity.best_efforts.heart_rate_in_beats_per_minute?.slice(0, 3)).toEqual([120, 120, 120]);
  });

  test("of a pool swim come from its lengths, for durations of at least a length", () => {
    const file = activityFile();
    let at = 0;
    for (const [type, duration] of [
      [1, 20],
      [1, 20],
      [1, 20],
      [0, 60],
      [1, 25],
      [1, 25],
      [1, 25],
      [1, 25],
    ] as const) {
      file.length([
        [2, "uint32", T0 + at],
        [3, "uint32", duration * 1000],
        [12, "enum", type],
      ]);
      file.record(at, [speed(0)]);
      at += duration;
    }
    const swim = decodeOne(file.session([...session(at), [5, "enum", 5], [44, "uint16", 2500]]).build());
    expect(swim.best_efforts.speed_in_meters_per_second).toEqual([null, 1.25, 1.25, null, null, null, null]);
    expect(swim.best_efforts.power_in_watts).toBeNull();
  });

  test("have the speed of the distance where no record has a speed", () => {
    const file = activityFile();
    for (const second of seconds(0, 301, 5)) file.record(second, [[5, "uint32", second * 400]]);
    const { speed_in_meters_per_second } = decodeOne(file.session(session(300)).build()).best_efforts;
    expect(speed_in_meters_per_second).toEqual([4, 4, 4, 4, null, null, null]);
  });

  test("are null without readings", () => {
    const { best_efforts: best, load_evidence } = decodeOne(activityFile().session(session(600)).build());
    expect(best).toMatchObject({
      power_in_watts: null,
      heart_rate_in_beats_per_minute: null,
      speed_in_meters_per_second: null,
    });
    expect(load_evidence).toMatchObject({ power_coverage: null, heart_rate_histogram: "" });
  });

  test("take no second per second of an activity of years", () => {
    const file = activityFile();
    for (const second of seconds(0, 2_000)) file.record(second * 100_000, [watts(200), rate(150), speed(5)]);
    const started = performance.now();
    const { power_in_watts } = decodeOne(file.session(session(200_000_000)).build()).best_efforts;
    expect(performance.now() - started).toBeLessThan(1000);
    expect(power_in_watts).toEqual([200, null, null, null, null, null, null]);
  });
});

/** Best averages by trying every second, from the streams. */
function naiveBest(times: readonly number[], readings: readonly (number | null)[], keepsMissing: boolean) {
  const known = new Map<number, number>();
  for (const [i, time] of times.entries()) {
    const reading = readings[i] ?? null;
    if (reading !== null && !known.has(Math.floor(time))) known.set(Math.floor(time), reading);
  }
  const starts = [...known.keys()].sort((one, other) => one - other);
  const stretches: { value: number; isKnown: boolean }[][] = [[]];
  for (const [i, second] of starts.entries()) {
    const value = known.get(second) ?? 0;
    const until = starts[i + 1] ?? second + 1;
    const held = Math.min(until - second, 10);
    for (let n = 0; n < held; n++) stretches.at(-1)?.push({ value, isKnown: true });
    if (until - second - held > 360) stretches.push([]);
    else
      for (let n = held; n < until - second; n++)
        stretches.at(-1)?.push({ value: keepsMissing ? value : 0, isKnown: false });
  }
  const sums = stretches.map((stretch) => {
    let [sum, missing] = [0, 0];
    return [{ sum, missing }].concat(
      stretch.map(({ value, isKnown }) => ({ sum: (sum += value), missing: (missing += isKnown ? 0 : 1) })),
    );
  });
  return EFFORT_SECONDS.map((duration) => {
    let best: number | null = null;
    for (const ofStretch of sums) {
      for (const [from, start] of ofStretch.entries()) {
        const end = ofStretch[from + duration];
        if (end === undefined) break;
        if (end.missing - start.missing <= duration / 10)
          best = Math.max(best ?? 0, (end.sum - start.sum) / duration);
      }
    }
    return best;
  });
}

const QUANTITIES = [
  ["power_in_watts", 0.51, false],
  ["heart_rate_in_beats_per_minute", 0.51, true],
  ["speed_in_meters_per_second", 0.00051, false],
] as const;

function checkActivity(bytes: Uint8Array, activity: DecodedActivity): number {
  const columns = columnsOf(bytes, { sessionIndex: activity.session_index });
  const times = (columns["time_in_seconds"] ?? []).map((time) => time ?? NaN);
  let compared = 0;
  for (const [name, tolerance, keepsMissing] of QUANTITIES) {
    const readings = columns[name];
    if (readings === undefined || (name === "speed_in_meters_per_second" && activity.lengths.length > 0))
      continue;
    const expected = naiveBest(times, readings, keepsMissing);
    const actual = activity.best_efforts[name] ?? EFFORT_SECONDS.map(() => null);
    for (const [i, average] of expected.entries()) {
      if (average === null) expect(actual[i]).toBeNull();
      else expect(Math.abs((actual[i] ?? NaN) - average)).toBeLessThanOrEqual(tolerance);
      compared += 1;
    }
  }
  return compared;
}

describe.runIf(folderExists(corpusFolder))("best efforts of public files", () => {
  test("equal those found by trying every second, in files without pauses", () => {
    let compared = 0;
    for (const name of readdirSync(corpusFolder).filter((file) => file.endsWith(".fit"))) {
      const bytes = new Uint8Array(readFileSync(path.join(corpusFolder, name)));
      let activities: DecodedActivity[] = [];
      try {
        ({ activities } = decode(bytes));
      } catch {
        continue;
      }
      for (const activity of activities) {
        const { elapsed_time_in_seconds: elapsed, timer_time_in_seconds: timer } = activity;
        if (elapsed === null || timer === null || elapsed - timer > 1) continue;
        compared += checkActivity(bytes, activity);
      }
    }
    expect(compared).toBeGreaterThan(100);
  }, 60_000);
});
