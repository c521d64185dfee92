import { describe, expect, test } from "vitest";
import { poolSwimFile, rideFile, runFile, strengthFile, triathlonFile } from "../../src/cli/demo/workouts.ts";
import { streamsOf } from "../support/fitDecode.ts";
import { decodeActivities, decodeRrIntervals, type DecodedActivity } from "../../src/fit/index.ts";

const START = 1_760_000_000;
const workout = { startInSeconds: START, seconds: 3_600, secondsApart: 2, effort: 1 };

function decoded(bytes: Uint8Array): DecodedActivity[] {
  const result = decodeActivities(bytes, { fallbackStartInSeconds: 0 });
  if (!result.ok) throw new Error(result.problem.code);
  expect(result.warnings).toEqual([]);
  return result.activities;
}

const average = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function correlation(ones: readonly number[], others: readonly number[]): number {
  const [mean, otherMean] = [average(ones), average(others)];
  const product = (i: number) => ((ones[i] ?? 0) - mean) * ((others[i] ?? 0) - otherMean);
  const square = (values: readonly number[], middle: number) =>
    average(values.map((value) => (value - middle) ** 2));
  const covariance = average(ones.map((_, i) => product(i)));
  return covariance / Math.sqrt(square(ones, mean) * square(others, otherMean));
}

describe("the demo's files decode as", () => {
  test("a ride with power, position and altitude", () => {
    const [ride, ...others] = decoded(rideFile(workout));
    expect(others).toEqual([]);
    expect(ride).toMatchObject({
      sport: "cycling",
      sub_sport: "road",
      start_time_in_seconds: START,
      timer_time_in_seconds: 3_600,
    });
    expect(ride?.average_power_in_watts).toBeGreaterThan(120);
    expect(ride?.average_power_in_watts).toBeLessThan(250);
    expect(ride?.distance_in_meters).toBeGreaterThan(20_000);
    expect(ride?.max_heart_rate_in_beats_per_minute).toBeLessThan(185);
    expect(ride?.streams).toEqual(
      expect.arrayContaining(["latitude_in_degrees", "altitude_in_meters", "power_in_watts"]),
    );
  });

  test("a run with step rate and without power", () => {
    const [run] = decoded(runFile(workout));
    expect(run).toMatchObject({ sport: "running", average_power_in_watts: null });
    expect(run?.average_steps_per_minute).toBeGreaterThan(150);
    expect(run?.average_steps_per_minute).toBeLessThan(190);
  });

  test("a run with beat-to-beat intervals over all of it", () => {
    const file = runFile(workout);
    expect(decoded(file)[0]?.has_rr_intervals).toBe(true);
    expect(decoded(rideFile(workout))[0]?.has_rr_intervals).toBe(false);
    const session = { sessionIndex: 0, most: 100_000, fallbackStartInSeconds: null };
    const intervals = decodeRrIntervals(file, session);
    expect(intervals).toMatchObject({ source: "hrv", artefact_share: 0, truncated: false });
    expect(intervals?.coverage).toBeGreaterThan(0.999);
    expect(intervals?.time_in_seconds.at(-1)).toBeGreaterThan(3_599);
  });

  test("a run that was paused, without records and beats in the pause", () => {
    const file = runFile({ ...workout, pauseSeconds: 180 });
    const [run] = decoded(file);
    expect(run).toMatchObject({ elapsed_time_in_seconds: 3_600, timer_time_in_seconds: 3_420 });
    expect(run?.laps[0]).toMatchObject({ elapsed_time_in_seconds: 3_600, timer_time_in_seconds: 3_420 });
    const intervals = decodeRrIntervals(file, {
      sessionIndex: 0,
      most: 100_000,
      fallbackStartInSeconds: null,
    });
    expect(intervals?.coverage).toBeGreaterThan(0.99);
  });

  test("a ride whose power follows hills and intervals, and whose heart rate follows the power later", () => {
    const file = rideFile({ ...workout, secondsApart: 1, hasIntervals: true });
    const [ride] = decoded(file);
    expect(ride?.training_load).toMatchObject({ basis: "power", coverage: 1 });
    expect(ride?.normalized_power_in_watts).toBeGreaterThan((ride?.average_power_in_watts ?? 0) * 1.05);
    const { columns } = streamsOf(file);
    const power = (columns["power_in_watts"] ?? []).map(Number);
    const rate = (columns["heart_rate_in_beats_per_minute"] ?? []).map(Number);
    const smooth = power.map((_, i) => average(power.slice(Math.max(0, i - 5), i + 1)));
    const ofLag = (lag: number) => correlation(smooth.slice(600, -60 - lag), rate.slice(600 + lag, -60));
    expect(ofLag(20)).toBeGreaterThan(ofLag(0) + 0.05);
    expect(ofLag(20)).toBeGreaterThan(0.7);
  });

  test("a road that is no circle, with its end near its start", () => {
    const { columns } = streamsOf(rideFile(workout));
    const latitudes = (columns["latitude_in_degrees"] ?? []).map(Number);
    const longitudes = (columns["longitude_in_degrees"] ?? []).map(Number);
    const turns = latitudes.flatMap((latitude, i) => {
      const [north, east] = [
        (latitudes[i + 40] ?? NaN) - latitude,
        (longitudes[i + 40] ?? NaN) - (longitudes[i] ?? NaN),
      ];
      return Number.isNaN(north) ? [] : [Math.atan2(north, east)];
    });
    const bends = turns.flatMap((turn, i) =>
      i % 40 === 0 && i > 0 ? [Math.sin(turn - (turns[i - 40] ?? 0))] : [],
    );
    expect(bends.some((bend) => bend > 0.3)).toBe(true);
    expect(bends.some((bend) => bend < -0.3)).toBe(true);
  });

  test("the same bytes each time, and other noise from a second device on the same ride", () => {
    expect(rideFile(workout)).toEqual(rideFile(workout));
    const [first, second] = [decoded(rideFile(workout))[0], decoded(rideFile({ ...workout, device: 1 }))[0]];
    expect(rideFile({ ...workout, device: 1 })).not.toEqual(rideFile(workout));
    expect(Math.abs((second?.distance_in_meters ?? 0) / (first?.distance_in_meters ?? 1) - 1)).toBeLessThan(
      0.03,
    );
  });

  test("a pool swim with sets, drills and rests", () => {
    const [swim] = decoded(poolSwimFile({ ...workout, seconds: 1_200 }));
    expect(swim).toMatchObject({ sport: "swimming", sub_sport: "lap_swimming", pool_length_in_meters: 25 });
    expect(swim?.lengths).toHaveLength(swim?.number_of_lengths ?? -1);
    const active = swim?.lengths.filter(({ type }) => type === "active") ?? [];
    const idle = swim?.lengths.filter(({ type }) => type === "idle") ?? [];
    expect(active).toHaveLength(swim?.number_of_active_lengths ?? -1);
    expect(idle.length).toBeGreaterThan(3);
    expect(swim?.distance_in_meters).toBe(active.length * 25);
    expect(new Set(active.map(({ stroke }) => stroke))).toEqual(new Set(["freestyle", "drill"]));
    expect(swim?.laps[0]).toMatchObject({ number_of_active_lengths: 8, distance_in_meters: 200 });
    expect(swim?.laps[1]).toMatchObject({ distance_in_meters: 0 });
    expect(swim?.best_efforts.speed_in_meters_per_second?.[2]).toBeGreaterThan(0.8);
  });

  test("strength training with its sets, weights and rests", () => {
    const [strength] = decoded(strengthFile({ ...workout, secondsApart: 4 }));
    expect(strength).toMatchObject({
      sport: "training",
      sub_sport: "strength_training",
      distance_in_meters: null,
    });
    expect(strength?.sets).toHaveLength(24);
    expect(strength?.sets[0]).toMatchObject({
      type: "active",
      exercise: { category: "squat", name: "barbell_back_squat" },
      repetitions: 8,
      weight_in_kilograms: 60,
    });
    expect(strength?.sets[1]).toMatchObject({ type: "rest", exercise: null });
  });

  test("a triathlon of five legs in order", () => {
    const legs = decoded(triathlonFile(workout));
    expect(legs.map(({ sport }) => sport)).toEqual([
      "swimming",
      "transition",
      "cycling",
      "transition",
      "running",
    ]);
    for (const [index, leg] of legs.entries()) {
      const next = legs[index + 1];
      if (next === undefined) continue;
      const end = (leg.start_time_in_seconds ?? 0) + (leg.elapsed_time_in_seconds ?? 0);
      expect(next.start_time_in_seconds).toBeGreaterThanOrEqual(end - 3);
    }
  });
});
