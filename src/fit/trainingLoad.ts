import { heartRateTimes } from "./heartRateHistogram.ts";
import type { Quantities } from "./quantities.ts";
import type { SummaryFields } from "./summaryFields.ts";
import { rounded } from "./values.ts";

/** What a training load was computed from, in the order of preference. */
export const LOAD_BASES = [
  "device_training_stress_score",
  "device_training_load_peak",
  "power",
  "heart_rate",
  "duration",
] as const;
export type LoadBasis = (typeof LOAD_BASES)[number];

export interface TrainingLoad {
  value: number;
  basis: LoadBasis;
  /** Share of the timer time that has readings; null when the load comes from no readings that the file has. */
  coverage: number | null;
}

/** What a training load needs beside the summary of an activity. It is stored, and no partner reads it. */
export interface LoadEvidence {
  /** Share of the timer time with power readings; null without any, and for an unknown timer time. */
  power_coverage: number | null;
  /** Seconds by heart rate, as `heartRateHistogram.ts` writes them. Empty without readings. */
  heart_rate_histogram: string;
  /** The athlete as the device knew them, from the session, its zones or the settings in the file. */
  functional_threshold_power_in_watts: number | null;
  threshold_heart_rate_in_beats_per_minute: number | null;
  max_heart_rate_in_beats_per_minute: number | null;
  resting_heart_rate_in_beats_per_minute: number | null;
}

/** Heart rates of an athlete. */
export interface HeartRateBounds {
  resting_heart_rate_in_beats_per_minute: number;
  max_heart_rate_in_beats_per_minute: number;
}

/** The fields of an activity that its load is computed from. */
export interface LoadSources
  extends
    Pick<SummaryFields, "training_stress_score" | "training_load_peak">,
    Pick<Quantities, "timer_time_in_seconds" | "elapsed_time_in_seconds" | "normalized_power_in_watts"> {
  sport: string;
  load_evidence: LoadEvidence;
}

/** Readings that cover less of the timer time are no basis. */
export const MIN_COVERAGE = 0.8;
const VALUE_DECIMALS = 1;
export const COVERAGE_DECIMALS = 3;
const SECONDS_PER_HOUR = 3600;
const SECONDS_PER_MINUTE = 60;

/**
 * Returns the training load of an activity by the first basis that it has: the device's own score, power with the
 * threshold that the file states, heart rate, duration. Heart rate needs bounds: those that the file states, else
 * `bounds`. Null for an activity without any duration.
 */
export function trainingLoadOf(
  activity: LoadSources,
  bounds: HeartRateBounds | null = null,
): TrainingLoad | null {
  return (
    deviceLoad(activity) ?? powerLoad(activity) ?? heartRateLoad(activity, bounds) ?? durationLoad(activity)
  );
}

/** Devices write 0 for a score that they did not compute. */
function deviceLoad({
  training_stress_score: score,
  training_load_peak: peak,
}: LoadSources): TrainingLoad | null {
  if (score !== null && score > 0) return loadOf(score, "device_training_stress_score", null);
  if (peak !== null && peak > 0) return loadOf(peak, "device_training_load_peak", null);
  return null;
}

/**
 * Training stress score: hours × intensity² × 100, where intensity is normalized power / functional threshold power. An hour
 * at the threshold is 100. Allen and Coggan, Training and Racing with a Power Meter, 2nd edition, 2010, chapter 7.
 * Without power readings in the file, the device's normalized power has no known coverage.
 */
function powerLoad(activity: LoadSources): TrainingLoad | null {
  const { normalized_power_in_watts: power, load_evidence: evidence } = activity;
  const { functional_threshold_power_in_watts: threshold, power_coverage: coverage } = evidence;
  const seconds = secondsOf(activity);
  if (power === null || threshold === null || !(threshold > 0) || !(seconds > 0)) return null;
  if (coverage !== null && coverage < MIN_COVERAGE) return null;
  const intensity = power / threshold;
  return loadOf((seconds / SECONDS_PER_HOUR) * intensity * intensity * 100, "power", coverage);
}

/** Banister's weights for men. The same for all athletes, because files seldom state the sex. */
export const TRIMP_FACTOR = 0.64;
export const TRIMP_EXPONENT = 1.92;
/** A smaller difference of maximum and resting heart rate is a wrong setting. */
const MIN_RESERVE = 20;

/**
 * Training impulse (TRIMP): the sum of minutes × reserve × 0.64 × e^(1.92 × reserve), where reserve is
 * (heart rate - resting) / (maximum - resting), from 0 to 1. Banister, Modeling Elite Athletic Performance, in Physiological
 * Testing of Elite Athletes, 1991; Morton, Fitz-Clarke and Banister, J. Appl. Physiol. 69(3), 1990. The weights for women
 * are 0.86 and 1.67. Only time with readings counts.
 */
function heartRateLoad(activity: LoadSources, bounds: HeartRateBounds | null): TrainingLoad | null {
  const { load_evidence: evidence } = activity;
  const own = boundsOf(evidence);
  const {
    resting_heart_rate_in_beats_per_minute: resting = NaN,
    max_heart_rate_in_beats_per_minute: max = NaN,
  } = own ?? bounds ?? {};
  const timer = secondsOf(activity);
  if (!(max - resting >= MIN_RESERVE) || !(timer > 0)) return null;
  let seconds = 0;
  let value = 0;
  for (const time of heartRateTimes(evidence.heart_rate_histogram)) {
    const reserve = Math.min(1, Math.max(0, (time.beats_per_minute - resting) / (max - resting)));
    seconds += time.seconds;
    value +=
      (time.seconds / SECONDS_PER_MINUTE) * reserve * TRIMP_FACTOR * Math.exp(TRIMP_EXPONENT * reserve);
  }
  const coverage = Math.min(1, seconds / timer);
  return coverage < MIN_COVERAGE ? null : loadOf(value, "heart_rate", coverage);
}

/** Returns the bounds that the file states; null unless it states both. */
function boundsOf(evidence: LoadEvidence): HeartRateBounds | null {
  const { resting_heart_rate_in_beats_per_minute: resting, max_heart_rate_in_beats_per_minute: max } =
    evidence;
  if (resting === null || max === null || max - resting < MIN_RESERVE) return null;
  return { resting_heart_rate_in_beats_per_minute: resting, max_heart_rate_in_beats_per_minute: max };
}

/** Load of an hour per metabolic equivalent: running at 9.8 then gives 59, close to Friel's 60 for moderate exertion. */
export const LOAD_PER_MET_HOUR = 6;
/** Metabolic equivalents of sports at a usual pace, by their names in the FIT profile. */
const METS: Readonly<Record<string, number>> = {
  running: 9.8,
  cycling: 7.5,
  e_biking: 5.5,
  swimming: 5.8,
  walking: 3.5,
  hiking: 6,
  snowshoeing: 5.3,
  mountaineering: 7,
  rock_climbing: 5.8,
  cross_country_skiing: 9,
  alpine_skiing: 5.3,
  snowboarding: 5.3,
  ice_skating: 7,
  inline_skating: 7.5,
  rowing: 7,
  paddling: 5,
  kayaking: 5,
  stand_up_paddleboarding: 5,
  training: 3.5,
  fitness_equipment: 5,
  hiit: 7,
  tennis: 7.3,
  soccer: 7,
  basketball: 6.5,
  golf: 4.8,
  transition: 3.5,
};
const OTHER_METS = 4;

/**
 * A rough estimate from sport and duration: hours × metabolic equivalents × 6. Equivalents from Ainsworth et al., 2011
 * Compendium of Physical Activities, Med. Sci. Sports Exerc. 43(8). The factor puts it on the scale of the training stress
 * score, by Friel's table of stress scores per hour and exertion (Estimating TSS, trainingpeaks.com).
 */
function durationLoad(activity: LoadSources): TrainingLoad | null {
  const seconds = secondsOf(activity);
  if (!(seconds > 0)) return null;
  const mets = Object.hasOwn(METS, activity.sport) ? METS[activity.sport] : undefined;
  return loadOf((seconds / SECONDS_PER_HOUR) * (mets ?? OTHER_METS) * LOAD_PER_MET_HOUR, "duration", null);
}

function secondsOf({ timer_time_in_seconds: timer, elapsed_time_in_seconds: elapsed }: LoadSources): number {
  return timer ?? elapsed ?? NaN;
}

function loadOf(value: number, basis: LoadBasis, coverage: number | null): TrainingLoad | null {
  const roundedValue = rounded(value, VALUE_DECIMALS);
  return roundedValue === null
    ? null
    : { value: roundedValue, basis, coverage: rounded(coverage ?? undefined, COVERAGE_DECIMALS) };
}
