/**
 * Numbers that only sessions have, in the order of the API. Calls `of` for each and returns the results by name: profile,
 * types, schemas, rounding and documentation all derive from this list. `wire` is the field's number and scale in the
 * FIT profile. Partners read `description`.
 */
export function sessionNumbers<T>(
  of: (wire: readonly [number: number, scale: number], decimals: number, description: string) => T,
) {
  return {
    training_stress_score: of([35, 10], 1, "Training stress score, as computed by the device."),
    intensity_factor: of([36, 1000], 3, "Intensity factor, as computed by the device."),
    threshold_power_in_watts: of([45, 1], 0, "Functional threshold power set on the device."),
    training_effect_aerobic: of([24, 10], 1, "Aerobic training effect, estimated by the device, 0 to 5."),
    training_effect_anaerobic: of(
      [137, 10],
      1,
      "Anaerobic training effect, estimated by the device, 0 to 5.",
    ),
    pool_length_in_meters: of([44, 100], 2, "Length of the pool."),
  };
}

/** Null for an unknown number. */
export type SessionNumbers = ReturnType<typeof sessionNumbers<number | null>>;
export const SESSION_NUMBER_DECIMALS = sessionNumbers((_wire, decimals) => decimals);

const isSessionNumber = (name: string): name is keyof SessionNumbers =>
  Object.hasOwn(SESSION_NUMBER_DECIMALS, name);
export const SESSION_NUMBER_NAMES = Object.keys(SESSION_NUMBER_DECIMALS).filter(isSessionNumber);
