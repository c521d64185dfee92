import type { LAP, SESSION, Values } from "./profile.ts";
import {
  quantities,
  QUANTITY_DECIMALS,
  QUANTITY_NAMES,
  type Quantities,
  type QuantityName,
} from "./quantities.ts";
import { cadence, enhancedOrPlain, heartRate, rounded } from "./values.ts";

/** Quantities of session and lap messages. */

export const JOULES_PER_KILOJOULE = 1000;

/** Numbers that session and lap messages share. */
type Summary = {
  [
    K in keyof Session & keyof Values<typeof LAP> as Session[K] extends number | undefined ? K : never
  ]?: number;
};
type Session = Values<typeof SESSION>;
/** NaN for an unknown value. */
export type Numbers = Record<QuantityName, number>;

/** Returns the quantities that a session or lap message has. */
export function numbersOf(summary: Summary, isOnFoot: boolean): Numbers {
  const timer = summary.total_timer_time ?? NaN;
  const speed = enhancedOrPlain(summary.enhanced_avg_speed ?? NaN, summary.avg_speed ?? NaN);
  const averageCadence = cadence(summary.avg_cadence ?? NaN, summary.avg_fractional_cadence ?? NaN);
  return {
    ...numbersOnWire(summary),
    elapsed_time_in_seconds: summary.total_elapsed_time ?? NaN,
    timer_time_in_seconds: timer,
    moving_time_in_seconds: summary.total_moving_time ?? summary.active_time ?? NaN,
    distance_in_meters: summary.total_distance ?? NaN,
    // A speed over no time has no meaning.
    average_speed_in_meters_per_second: timer === 0 ? NaN : speed,
    max_speed_in_meters_per_second: enhancedOrPlain(
      summary.enhanced_max_speed ?? NaN,
      summary.max_speed ?? NaN,
    ),
    average_heart_rate_in_beats_per_minute: heartRate(summary.avg_heart_rate ?? NaN),
    max_heart_rate_in_beats_per_minute: heartRate(summary.max_heart_rate ?? NaN),
    average_power_in_watts: summary.avg_power ?? NaN,
    max_power_in_watts: summary.max_power ?? NaN,
    normalized_power_in_watts: summary.normalized_power ?? NaN,
    work_in_kilojoules: (summary.total_work ?? NaN) / JOULES_PER_KILOJOULE,
    average_cadence_in_cycles_per_minute: averageCadence,
    max_cadence_in_cycles_per_minute: cadence(
      summary.max_cadence ?? NaN,
      summary.max_fractional_cadence ?? NaN,
    ),
    average_steps_per_minute: isOnFoot ? 2 * averageCadence : NaN,
    ascent_in_meters: summary.total_ascent ?? NaN,
    descent_in_meters: summary.total_descent ?? NaN,
    energy_in_kilocalories: summary.total_calories ?? NaN,
    average_temperature_in_celsius: summary.avg_temperature ?? NaN,
    min_heart_rate_in_beats_per_minute: heartRate(summary.min_heart_rate_in_beats_per_minute ?? NaN),
  };
}

/** Returns the quantities whose fields `quantities.ts` names; NaN for the others. */
function numbersOnWire(summary: Summary): Numbers {
  const names = QUANTITY_NAMES.values();
  return quantities(() => {
    const { value: name } = names.next();
    return (name === undefined ? undefined : summary[name]) ?? NaN;
  });
}

export function quantitiesOf(numbers: Numbers): Quantities {
  const result: Quantities = quantities(() => null);
  for (const name of QUANTITY_NAMES) result[name] = rounded(numbers[name], QUANTITY_DECIMALS[name]);
  return result;
}
