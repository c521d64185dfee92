import type { Wire } from "./summaryFields.ts";
import { BREATHS_PER_MINUTE, METERS, MILLIMETERS, MILLISECONDS, PERCENT, type Units } from "./units.ts";

/** How readings of a stream are taken from records without further rules. */
export interface StreamSource {
  /** The field, or the enhanced and the plain one. */
  readonly fields: readonly [Wire] | readonly [enhanced: Wire, plain: Wire];
  /** Units from which developer fields of the same native field are converted. Null: they never replace it. */
  readonly units: Units | null;
  /** Readings outside 0 to 100 are absent. */
  readonly isShare?: boolean;
}

const one = (number: number, scale: number, units: Units): StreamSource => ({
  fields: [[number, scale]],
  units,
});
const enhanced = (better: Wire, plain: Wire, units: Units): StreamSource => ({
  fields: [better, plain],
  units,
});
/** The top bit says that the rest is the share of the right side. Without it the side is unknown, and the reading negative. */
const RIGHT_FLAG = 0x80;
const rightShare = (number: number): StreamSource => ({
  fields: [[number, 1, RIGHT_FLAG]],
  units: null,
  isShare: true,
});

/**
 * The standard streams, in the order of the API. Calls `of` for each and returns the results by name: keys, columns,
 * fields and documentation all derive from this list. `columns.ts` has the sources of those without one. Partners read
 * `description`. Developer fields have the key `developer.<name>`.
 *
 * Append only: stored summaries name streams by position.
 */
export function standardStreams<T>(of: (description: string, source?: StreamSource) => T) {
  return {
    time_in_seconds: of("Seconds since the start of the activity. Never decreases."),
    distance_in_meters: of("Metres since the start of the activity."),
    latitude_in_degrees: of("Degrees (WGS 84), north is positive."),
    longitude_in_degrees: of("Degrees (WGS 84), east is positive."),
    altitude_in_meters: of("Metres above sea level, as the device recorded it."),
    speed_in_meters_per_second: of("Metres per second."),
    heart_rate_in_beats_per_minute: of("Beats per minute."),
    power_in_watts: of("Watts."),
    cadence_in_cycles_per_minute: of("Pedal turns, strides of one foot, or arm cycles per minute."),
    temperature_in_celsius: of("Degrees Celsius at the device."),
    respiration_rate_in_breaths_per_minute: of(
      "Breaths per minute.",
      enhanced([108, 100], [99, 1], BREATHS_PER_MINUTE),
    ),
    grade_in_percent: of("Slope in percent, negative downhill.", one(9, 100, PERCENT)),
    right_balance_in_percent: of(
      "Share of the right leg in the power, 0 to 100 percent. Null when the device does not say which leg it measured.",
      rightShare(30),
    ),
    left_torque_effectiveness_in_percent: of(
      "Torque effectiveness of the left leg, in percent.",
      one(43, 2, PERCENT),
    ),
    right_torque_effectiveness_in_percent: of(
      "Torque effectiveness of the right leg, in percent.",
      one(44, 2, PERCENT),
    ),
    left_pedal_smoothness_in_percent: of(
      "Pedal smoothness of the left leg, in percent.",
      one(45, 2, PERCENT),
    ),
    right_pedal_smoothness_in_percent: of(
      "Pedal smoothness of the right leg, in percent.",
      one(46, 2, PERCENT),
    ),
    combined_pedal_smoothness_in_percent: of(
      "Pedal smoothness of both legs together, in percent.",
      one(47, 2, PERCENT),
    ),
    vertical_oscillation_in_millimeters: of(
      "Vertical movement of the body with each step, in millimetres.",
      one(39, 10, MILLIMETERS),
    ),
    stance_time_in_milliseconds: of(
      "Time that a foot is on the ground with each step, in milliseconds.",
      one(41, 10, MILLISECONDS),
    ),
    stance_time_balance_in_percent: of(
      "Share of one foot in the stance time, in percent, as the device recorded it. FIT files do not say which foot.",
      one(84, 100, PERCENT),
    ),
    step_length_in_millimeters: of("Length of a step, in millimetres.", one(85, 10, MILLIMETERS)),
    vertical_ratio_in_percent: of(
      "Vertical oscillation divided by step length, in percent.",
      one(83, 100, PERCENT),
    ),
    depth_in_meters: of("Metres below the surface of the water.", one(92, 1000, METERS)),
  };
}

export type StreamKey = keyof ReturnType<typeof standardStreams>;

/** Descriptions for partners, by key. */
export const STREAM_DESCRIPTIONS = standardStreams((description) => description);
export const STREAM_SOURCES: Readonly<Record<StreamKey, StreamSource | null>> = standardStreams(
  (_description, source) => source ?? null,
);

const isStreamKey = (key: string): key is StreamKey => Object.hasOwn(STREAM_DESCRIPTIONS, key);
export const STREAM_KEYS = Object.keys(STREAM_DESCRIPTIONS).filter(isStreamKey);
export const DEVELOPER_PREFIX = "developer.";
