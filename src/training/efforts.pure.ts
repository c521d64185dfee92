import { EFFORT_SECONDS, type BestEfforts } from "../fit/bestEfforts.ts";
import { EFFORT_QUANTITIES, EFFORT_SPORTS, THRESHOLD_MINUTES, type TrainingEffort } from "./baseline.ts";
import { dateOf } from "../contract/days.ts";

export interface EffortSources {
  best_efforts: BestEfforts;
}

interface Counted extends EffortSources {
  activity_id: string;
  sport: string;
  day: number;
  duration: number | null;
}

const THRESHOLD_SECONDS: ReadonlySet<number> = new Set(THRESHOLD_MINUTES.map((minutes) => 60 * minutes));

/** Returns the best efforts of all durations, for the sports with the most time. */
export function bestEffortsOf(counted: readonly Counted[]): TrainingEffort[] {
  return effortsOf(counted, () => true);
}

/** Returns the best efforts of the durations that show a threshold. */
export function thresholdEffortsOf(counted: readonly Counted[]): TrainingEffort[] {
  return effortsOf(counted, (seconds) => THRESHOLD_SECONDS.has(seconds));
}

function effortsOf(counted: readonly Counted[], isWanted: (seconds: number) => boolean): TrainingEffort[] {
  const totals = new Map<string, number>();
  for (const { sport, duration } of counted) totals.set(sport, (totals.get(sport) ?? 0) + (duration ?? 0));
  const sports = [...totals]
    .sort(([a, ofA], [b, ofB]) => ofB - ofA || (a < b ? -1 : 1))
    .slice(0, EFFORT_SPORTS);
  return sports.flatMap(([sport]) => {
    const ofSport = counted.filter((activity) => activity.sport === sport);
    return EFFORT_QUANTITIES.flatMap((quantity) =>
      EFFORT_SECONDS.flatMap((duration_in_seconds, index) => {
        if (!isWanted(duration_in_seconds)) return [];
        const best = bestOf(ofSport, ({ best_efforts }) => best_efforts[quantity]?.[index] ?? null);
        return best === null ? [] : { sport, quantity, duration_in_seconds, ...best };
      }),
    );
  });
}

/** Returns the highest value and the earliest activity with it. Null without values. */
export function bestOf<T extends { activity_id: string; day: number }>(
  activities: readonly T[],
  valueOf: (activity: T) => number | null,
) {
  let best: { value: number; local_date: string; activity_id: string } | null = null;
  let count = 0;
  for (const activity of activities) {
    const value = valueOf(activity);
    if (value === null) continue;
    count += 1;
    if (best === null || value > best.value) {
      best = { value, local_date: dateOf(activity.day), activity_id: activity.activity_id };
    }
  }
  return best === null ? null : { ...best, activities: count };
}
