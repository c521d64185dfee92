import { EFFORT_SECONDS, type BestEfforts } from "../fit/bestEfforts.ts";
import type { LoadEvidence } from "../fit/trainingLoad.ts";
import {
  OBSERVED_SECONDS,
  STATED_KINDS,
  STATED_VALUES,
  type HeartRateBound,
  type StatedThreshold,
} from "./baseline.ts";
import { dateOf } from "../contract/days.ts";
import { bestOf } from "./efforts.pure.ts";

interface Counted {
  activity_id: string;
  day: number;
  best_efforts: BestEfforts;
  load_evidence: LoadEvidence;
}

export interface Bounds {
  resting: HeartRateBound;
  max: HeartRateBound;
}

/** Plausible heart rates. Other values are wrong settings. */
const MAX_RATES = { least: 100, most: 230 };
const RESTING_RATES = { least: 25, most: 110 };
/** Resting heart rate if no device states one: about the middle of trained and untrained adults. */
const ASSUMED_RESTING = 60;
/** Index of the effort that is long enough to exclude errors of the sensor. */
const OBSERVED_INDEX = EFFORT_SECONDS.indexOf(OBSERVED_SECONDS);

const within = (value: number | null, { least, most }: typeof MAX_RATES) =>
  value !== null && value >= least && value <= most ? value : null;

/**
 * Returns the heart rates between which a training impulse is computed, from all activities in the order of their starts.
 * Maximum: the highest average over 30 s, or the value that a device stated last, whichever is higher. Resting: the value that
 * a device stated last, else an assumed one. Null without a maximum.
 */
export function boundsOf(counted: readonly Counted[]): Bounds | null {
  const stated = lastStated(counted, "max_heart_rate_in_beats_per_minute", MAX_RATES);
  const best = bestOf(counted, ({ best_efforts }) =>
    within(best_efforts.heart_rate_in_beats_per_minute?.[OBSERVED_INDEX] ?? null, MAX_RATES),
  );
  const observed: HeartRateBound | null = best && {
    beats_per_minute: best.value,
    basis: "observed",
    local_date: best.local_date,
    activity_id: best.activity_id,
    activities: best.activities,
  };
  const max =
    stated !== null && stated.beats_per_minute >= (observed?.beats_per_minute ?? 0) ? stated : observed;
  if (max === null) return null;
  const resting = lastStated(counted, "resting_heart_rate_in_beats_per_minute", RESTING_RATES) ?? {
    beats_per_minute: ASSUMED_RESTING,
    basis: "assumed" as const,
    local_date: null,
    activity_id: null,
    activities: 0,
  };
  return { resting, max };
}

function lastStated(
  counted: readonly Counted[],
  kind: keyof LoadEvidence & (typeof STATED_KINDS)[number],
  range: typeof MAX_RATES,
): HeartRateBound | null {
  const stating = counted.filter(({ load_evidence }) => within(load_evidence[kind], range) !== null);
  const last = stating.at(-1);
  const beats_per_minute = last?.load_evidence[kind] ?? null;
  if (last === undefined || beats_per_minute === null) return null;
  const { activity_id } = last;
  return {
    beats_per_minute,
    basis: "stated",
    local_date: dateOf(last.day),
    activity_id,
    activities: stating.length,
  };
}

/** Returns the values that devices stated, the latest ones of each kind first. */
export function statedThresholdsOf(counted: readonly Counted[]): StatedThreshold[] {
  return STATED_KINDS.flatMap((kind) => {
    const stated = counted.flatMap(({ day, load_evidence }) => {
      const value = load_evidence[kind];
      return value === null ? [] : { day, value };
    });
    return [...Map.groupBy(stated, ({ value }) => value)]
      .map(([value, days]) => ({ value, days: days.map(({ day }) => day).sort((a, b) => a - b) }))
      .sort((a, b) => (b.days.at(-1) ?? 0) - (a.days.at(-1) ?? 0) || b.value - a.value)
      .slice(0, STATED_VALUES)
      .map(({ value, days }) => ({
        kind,
        value,
        first_date: dateOf(days[0] ?? 0),
        last_date: dateOf(days.at(-1) ?? 0),
        activities: days.length,
      }));
  });
}
