/**
 * Quantities that activities and laps share, in the order of the API. Calls `of` for each and returns the results by
 * name: types, schemas, rounding and documentation all derive from this list. `decimals` is the resolution of the file
 * or, for averages, a useful one. Partners read `description`.
 *
 * Append only: stored summaries name quantities by position.
 */
export function quantities<T>(of: (decimals: number, description: string) => T) {
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
  };
}

/** Null for an unknown quantity. */
export type Quantities = ReturnType<typeof quantities<number | null>>;
export type QuantityName = keyof Quantities;

export const QUANTITY_DECIMALS = quantities((decimals) => decimals);

const isQuantity = (name: string): name is QuantityName => Object.hasOwn(QUANTITY_DECIMALS, name);
export const QUANTITY_NAMES = Object.keys(QUANTITY_DECIMALS).filter(isQuantity);
