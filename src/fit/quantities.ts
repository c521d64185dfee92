import type { Wire } from "./summaryFields.ts";

/** Field of a quantity in session and lap messages, and the enhanced field with a wider range or a finer resolution. */
export interface Wires {
  readonly session: Wire;
  readonly lap: Wire;
  readonly enhanced?: Omit<Wires, "enhanced">;
}

/**
 * Quantities that activities and laps share, in the order of the API. Calls `of` for each and returns the results by
 * name: types, schemas, rounding and documentation all derive from this list. `decimals` is the resolution of the file
 * or, for averages, a useful one. Partners read `description`. A quantity without `wires` has its source in `numbersOf`.
 *
 * Append only: stored summaries name quantities by position.
 */
export function quantities<T>(of: (decimals: number, description: string, wires?: Wires) => T) {
  return {
    elapsed_time_in_seconds: of(3, "Time from start to end, with pauses."),
    timer_time_in_seconds: of(3, "Time while the timer ran."),
    moving_time_in_seconds: of(
      3,
      "Time in motion: the device's value, else of active lengths in a pool, else at 0.5 m/s or faster while the timer ran.",
    ),
    distance_in_meters: of(2, "Distance covered."),
    average_speed_in_meters_per_second: of(
      3,
      "Average speed: the device's value, else distance divided by timer time.",
    ),
    max_speed_in_meters_per_second: of(3, "Maximum speed."),
    average_heart_rate_in_beats_per_minute: of(1, "Average heart rate."),
    max_heart_rate_in_beats_per_minute: of(0, "Maximum heart rate."),
    average_power_in_watts: of(1, "Average power."),
    max_power_in_watts: of(0, "Maximum power."),
    normalized_power_in_watts: of(1, "Normalized power."),
    work_in_kilojoules: of(3, "Mechanical work."),
    average_cadence_in_cycles_per_minute: of(
      2,
      "Average cadence: pedal turns, strides of one foot, or arm cycles per minute.",
    ),
    max_cadence_in_cycles_per_minute: of(
      2,
      "Maximum cadence: pedal turns, strides of one foot, or arm cycles per minute.",
    ),
    average_steps_per_minute: of(
      1,
      "Average steps per minute of both feet. Only for running, walking and hiking.",
    ),
    ascent_in_meters: of(1, "Total ascent: the device's value, else the sum of climbs from valley to peak."),
    descent_in_meters: of(1, "Total descent, in the same way."),
    energy_in_kilocalories: of(0, "Energy that the device estimated."),
    average_temperature_in_celsius: of(1, "Average temperature at the device."),
    min_heart_rate_in_beats_per_minute: of(0, "Minimum heart rate.", { session: [64], lap: [63] }),
    max_temperature_in_celsius: of(0, "Maximum temperature at the device.", { session: [58], lap: [51] }),
    min_altitude_in_meters: of(1, "Lowest altitude.", {
      session: [71, 5, 500],
      lap: [62, 5, 500],
      enhanced: { session: [127, 5, 500], lap: [113, 5, 500] },
    }),
    max_altitude_in_meters: of(1, "Highest altitude.", {
      session: [50, 5, 500],
      lap: [43, 5, 500],
      enhanced: { session: [128, 5, 500], lap: [114, 5, 500] },
    }),
    average_respiration_rate_in_breaths_per_minute: of(2, "Average respiration rate.", {
      session: [147],
      lap: [147],
      enhanced: { session: [169, 100], lap: [136, 100] },
    }),
    total_cycles: of(0, "Number of pedal turns, strides of one foot, strokes or repetitions.", {
      session: [10],
      lap: [10],
    }),
    average_swolf: of(0, "Average SWOLF of a swim: seconds plus strokes of a length.", {
      session: [80],
      lap: [73],
    }),
  };
}

/** Null for an unknown quantity. */
export type Quantities = ReturnType<typeof quantities<number | null>>;
export type QuantityName = keyof Quantities;

export const QUANTITY_DECIMALS = quantities((decimals) => decimals);

const isQuantity = (name: string): name is QuantityName => Object.hasOwn(QUANTITY_DECIMALS, name);
export const QUANTITY_NAMES = Object.keys(QUANTITY_DECIMALS).filter(isQuantity);
