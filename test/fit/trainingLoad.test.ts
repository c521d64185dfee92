import { expect, test } from "vitest";
import { HeartRateHistogram, heartRateTimes } from "../../src/fit/heartRateHistogram.ts";
import { trainingLoadOf, type LoadSources } from "../../src/fit/trainingLoad.ts";

const NO_EVIDENCE: LoadSources["load_evidence"] = {
  power_coverage: null,
  heart_rate_histogram: "",
  functional_threshold_power_in_watts: null,
  threshold_heart_rate_in_beats_per_minute: null,
  max_heart_rate_in_beats_per_minute: null,
  resting_heart_rate_in_beats_per_minute: null,
};
const HOUR: LoadSources = {
  sport: "cycling",
  training_stress_score: null,
  training_load_peak: null,
  timer_time_in_seconds: 3600,
  elapsed_time_in_seconds: 4000,
  normalized_power_in_watts: null,
  load_evidence: NO_EVIDENCE,
};
const withEvidence = (
  evidence: Partial<LoadSources["load_evidence"]>,
  others: Partial<LoadSources> = {},
) => ({
  ...HOUR,
  ...others,
  load_evidence: { ...NO_EVIDENCE, ...evidence },
});
const BOUNDS = { resting_heart_rate_in_beats_per_minute: 50, max_heart_rate_in_beats_per_minute: 190 };

function histogramOf(...times: [beats: number, seconds: number][]): string {
  const histogram = new HeartRateHistogram();
  for (const [beats, seconds] of times) histogram.add(beats, seconds);
  return histogram.toString();
}

test("an hour at the threshold power is a load of 100", () => {
  const activity = withEvidence(
    { functional_threshold_power_in_watts: 250, power_coverage: 1 },
    { normalized_power_in_watts: 250 },
  );
  expect(trainingLoadOf(activity)).toEqual({ value: 100, basis: "power", coverage: 1 });
});

test("half the threshold power for two hours is half the load of an hour at the threshold", () => {
  const activity = withEvidence(
    { functional_threshold_power_in_watts: 250, power_coverage: 0.8 },
    { normalized_power_in_watts: 125, timer_time_in_seconds: 7200 },
  );
  expect(trainingLoadOf(activity)).toEqual({ value: 50, basis: "power", coverage: 0.8 });
});

test("the device's own score has priority, the stress score before the peak", () => {
  const evidence = { functional_threshold_power_in_watts: 250, power_coverage: 1 };
  const scores = { training_stress_score: 81.5, training_load_peak: 105.03, normalized_power_in_watts: 250 };
  const ofScore = trainingLoadOf(withEvidence(evidence, scores));
  expect(ofScore).toEqual({ value: 81.5, basis: "device_training_stress_score", coverage: null });
  const ofPeak = trainingLoadOf(withEvidence(evidence, { ...scores, training_stress_score: null }));
  expect(ofPeak).toEqual({ value: 105, basis: "device_training_load_peak", coverage: null });
  const neither = { ...scores, training_stress_score: 0, training_load_peak: 0 };
  expect(trainingLoadOf(withEvidence(evidence, neither))?.basis).toBe("power");
});

test("heart rate gives Banister's training impulse with the bounds of the file", () => {
  // 60 minutes at 71 % of the reserve.
  const heart_rate_histogram = histogramOf([150, 3600]);
  const expected = 60 * (100 / 140) * 0.64 * Math.exp(1.92 * (100 / 140));
  const load = trainingLoadOf(withEvidence({ heart_rate_histogram, ...BOUNDS }));
  expect(load).toMatchObject({ basis: "heart_rate", coverage: 1 });
  expect(Math.abs((load?.value ?? 0) / expected - 1)).toBeLessThan(0.002);
});

test("bounds of the caller count only where the file states none, so that the order of files does not matter", () => {
  const heart_rate_histogram = histogramOf([150, 3600]);
  const others = { resting_heart_rate_in_beats_per_minute: 60, max_heart_rate_in_beats_per_minute: 180 };
  const without = withEvidence({ heart_rate_histogram, max_heart_rate_in_beats_per_minute: 190 });
  expect(trainingLoadOf(without)?.basis).toBe("duration");
  expect(trainingLoadOf(without, BOUNDS)).toEqual(
    trainingLoadOf(withEvidence({ heart_rate_histogram, ...BOUNDS })),
  );
  const stated = withEvidence({ heart_rate_histogram, ...BOUNDS });
  expect(trainingLoadOf(stated, others)).toEqual(trainingLoadOf(stated));
});

test("a heart rate outside the bounds counts as the bound", () => {
  const at = (beats: number) =>
    trainingLoadOf(withEvidence({ heart_rate_histogram: histogramOf([beats, 3600]), ...BOUNDS }));
  expect(at(40)?.value).toBe(0);
  expect(at(200)?.value).toBeCloseTo(60 * 0.64 * Math.exp(1.92), 1);
});

test("readings that cover less than 80 % of the timer time are no basis", () => {
  const few = withEvidence({ heart_rate_histogram: histogramOf([150, 2700]), ...BOUNDS });
  expect(trainingLoadOf(few)?.basis).toBe("duration");
  const evidence = { functional_threshold_power_in_watts: 250, power_coverage: 0.79 };
  expect(trainingLoadOf(withEvidence(evidence, { normalized_power_in_watts: 250 }))?.basis).toBe("duration");
});

test("impossible bounds are no basis", () => {
  const heart_rate_histogram = histogramOf([150, 3600]);
  const swapped = { resting_heart_rate_in_beats_per_minute: 190, max_heart_rate_in_beats_per_minute: 50 };
  expect(trainingLoadOf(withEvidence({ heart_rate_histogram, ...swapped }))?.basis).toBe("duration");
  expect(trainingLoadOf(withEvidence({ heart_rate_histogram }), swapped)?.basis).toBe("duration");
});

test("an activity with nothing but a duration has an estimate by its sport", () => {
  expect(trainingLoadOf(HOUR)).toEqual({ value: 45, basis: "duration", coverage: null });
  expect(trainingLoadOf({ ...HOUR, sport: "running" })?.value).toBeCloseTo(58.8, 1);
  expect(trainingLoadOf({ ...HOUR, sport: "unknown_77" })?.value).toBe(24);
  expect(trainingLoadOf({ ...HOUR, sport: "constructor" })?.value).toBe(24);
  expect(trainingLoadOf({ ...HOUR, timer_time_in_seconds: null })?.value).toBe(50);
});

test("an activity without any duration has no load", () => {
  expect(trainingLoadOf({ ...HOUR, timer_time_in_seconds: null, elapsed_time_in_seconds: null })).toBeNull();
  expect(trainingLoadOf({ ...HOUR, timer_time_in_seconds: 0 })).toBeNull();
});

test("a histogram keeps seconds and means, and is empty without readings", () => {
  const histogram = histogramOf([141, 10], [144, 20], [160, 3600], [0, 50], [300, 50], [NaN, 50]);
  const times = heartRateTimes(histogram);
  expect(times.map(({ seconds }) => seconds)).toEqual([30, 3600]);
  expect(times[0]?.beats_per_minute).toBeCloseTo(143, 0);
  expect(times[1]?.beats_per_minute).toBeCloseTo(160, 0);
  expect(histogramOf()).toBe("");
  expect(heartRateTimes("")).toEqual([]);
});
