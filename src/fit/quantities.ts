/**
 * Quantities that activities and laps share, in the order of the API. Calls `of` for each and returns the results by
 * name: types, schemas, rounding and documentation all derive from this list. `decimals` is the resolution of the file
 * or, for averages, a useful one. Partners read `description`.
 */
export function quantities<T>(of: (decimals: number, description: string) => T) {
  return {
    elapsed_time_in_seconds: of(3, "From start to end, pauses too."),
    timer_time_in_seconds: of(3, "While the timer ran."),
    moving_time_in_seconds: of(3, "While there was movement."),
    distance_in_meters: of(2, "Distance covered."),
    average_speed_in_meters_per_second: of(3, "Distance over timer time, or what the device says."),
    max_speed_in_meters_per_second: of(3, "Highest speed."),
    average_heart_rate_in_beats_per_minute: of(1, "Average heart rate."),
    max_heart_rate_in_beats_per_minute: of(0, "Highest heart rate."),
    average_power_in_watts: of(1, "Average power."),
    max_power_in_watts: of(0, "Highest power."),
    normalized_power_in_watts: of(1, "Normalized power."),
    work_in_kilojoules: of(3, "Mechanical work."),
    average_cadence_in_cycles_per_minute: of(2, "Pedal turns, strides of one foot, or arm cycles."),
    max_cadence_in_cycles_per_minute: of(2, "Highest cadence, counted likewise."),
    average_steps_per_minute: of(1, "Both feet; walking and running only."),
    ascent_in_meters: of(1, "Metres climbed."),
    descent_in_meters: of(1, "Metres descended."),
    energy_in_kilocalories: of(0, "Energy spent, by the device's estimate."),
    average_temperature_in_celsius: of(1, "Average temperature at the device."),
  };
}

/** Null for an unknown quantity. */
export type Quantities = ReturnType<typeof quantities<number | null>>;
export type QuantityName = keyof Quantities;

export const QUANTITY_DECIMALS = quantities((decimals) => decimals);

const isQuantity = (name: string): name is QuantityName => Object.hasOwn(QUANTITY_DECIMALS, name);
export const QUANTITY_NAMES = Object.keys(QUANTITY_DECIMALS).filter(isQuantity);
