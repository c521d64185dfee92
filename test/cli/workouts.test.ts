import { describe, expect, test } from "vitest";
import { poolSwimFile, rideFile, runFile, triathlonFile } from "../../src/cli/demo/workouts.ts";
import { decodeActivities, decodeRrIntervals, type DecodedActivity } from "../../src/fit/index.ts";

const START = 1_760_000_000;
const workout = { startInSeconds: START, seconds: 3_600, secondsApart: 2, effort: 1 };

function decoded(bytes: Uint8Array): DecodedActivity[] {
  const result = decodeActivities(bytes, { fallbackStartInSeconds: 0 });
  if (!result.ok) throw new Error(result.problem.code);
  expect(result.warnings).toEqual([]);
  return result.activities;
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

  test("a pool swim with four lengths in each lap", () => {
    const [swim] = decoded(poolSwimFile({ ...workout, seconds: 1_200 }));
    expect(swim).toMatchObject({ sport: "swimming", sub_sport: "lap_swimming", pool_length_in_meters: 25 });
    expect(swim?.lengths).toHaveLength(swim?.number_of_lengths ?? -1);
    expect(swim?.lengths.map(({ lap_index }) => lap_index)).toEqual(
      swim?.lengths.map((_length, index) => Math.floor(index / 4)),
    );
    expect(swim?.distance_in_meters).toBe((swim?.lengths.length ?? 0) * 25);
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
