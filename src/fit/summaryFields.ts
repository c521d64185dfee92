/** Number, scale and offset of a field in the FIT profile: a value is raw / scale - offset. */
export type Wire = readonly [number: number, scale?: number, offset?: number];

export const OFFSET_SOURCES = ["device", "position"] as const;
export type OffsetSource = (typeof OFFSET_SOURCES)[number];

/**
 * Fields that only activities have, in the order in which stored summaries keep them. Calls `number`, `text`,
 * `flag` or `offsetSource` for each and returns the results by name: profile, types, schemas, rounding, storage and documentation all derive from this
 * list. `wire` is the field of the session message; fields without it come from elsewhere. Partners read `description`.
 *
 * Append only: stored summaries name fields by position.
 */
export function summaryFields<N, T, F, O>(
  number: (decimals: number, description: string, wire?: Wire) => N,
  text: (description: string, wire?: Wire) => T,
  flag: (description: string) => F,
  offsetSource: (description: string) => O,
) {
  return {
    utc_offset_in_seconds: number(
      0,
      "Offset of local time from UTC, such as `7200`. Null when the file contains neither an offset nor a position. See `offset_source`.",
    ),
    training_stress_score: number(
      1,
      "Training stress score, as computed by the device. Null when the file has none.",
      [35, 10],
    ),
    intensity_factor: number(
      3,
      "Intensity factor, as computed by the device. Null when the file has none.",
      [36, 1000],
    ),
    threshold_power_in_watts: number(
      0,
      "Functional threshold power set on the device. Null when the file has none.",
      [45],
    ),
    training_effect_aerobic: number(
      1,
      "Aerobic training effect, estimated by the device, 0 to 5. Null when the file has none.",
      [24, 10],
    ),
    training_effect_anaerobic: number(
      1,
      "Anaerobic training effect, estimated by the device, 0 to 5. Null when the file has none.",
      [137, 10],
    ),
    pool_length_in_meters: number(2, "Length of the pool. Null when the file has none.", [44, 100]),
    number_of_lengths: number(0, "Number of pool lengths, including rests. Null when not in a pool."),
    number_of_active_lengths: number(0, "Number of pool lengths that were swum. Null when not in a pool."),
    start_latitude_in_degrees: number(
      7,
      "Latitude of the start (WGS 84). Null when no position was recorded.",
    ),
    start_longitude_in_degrees: number(
      7,
      "Longitude of the start (WGS 84). Null when no position was recorded.",
    ),
    training_load_peak: number(
      2,
      "Peak training load, as computed by the device. Null when the file has none.",
      [168, 65536],
    ),
    perceived_exertion: number(
      1,
      "Exertion that the athlete entered, 0 to 10. Null when the file has none.",
      [193, 10],
    ),
    feel: number(
      0,
      "How the athlete felt, as entered: 0 is very weak, 50 is normal, 100 is very strong. Null when the file has none.",
      [192],
    ),
    recovery_heart_rate_in_beats_per_minute: number(
      0,
      "Heart rate that the device measured some time after the exercise. Null when the file has none.",
    ),
    profile_name: text(
      "Name of the activity profile on the device, such as `Trail Run`. Null when the file has none.",
      [110],
    ),
    workout_name: text("Name of the planned workout that was executed. Null when the file has none."),
    has_rr_intervals: flag(
      "`true`: the file has beat-to-beat intervals (R-R intervals) for this activity. `GET /api/activities/{activity_id}/rr/` returns them.",
    ),
    offset_source: offsetSource(
      "Source of `utc_offset_in_seconds`. `device`: the file states it. `position`: it follows from the time zone at the start. Null without an offset.",
    ),
    time_zone: text(
      "IANA time zone at the start, such as `Europe/Berlin`; at sea such as `Etc/GMT+3`, which is UTC-3. Null without a position, for virtual activities, and when the device had set another offset.",
    ),
    recorded_with: text(
      "Maker and model of the device or app that recorded the activity, such as `Garmin Edge 820` or `Zwift`. Show it beside the data: brand rules of makers require it. Null when the file does not name them.",
    ),
    number_of_laps: number(0, "Number of laps in the file."),
  };
}

/** Null for an unknown number or text. */
export type SummaryFields = ReturnType<
  typeof summaryFields<number | null, string | null, boolean, OffsetSource | null>
>;
export const SUMMARY_FIELD_DECIMALS = summaryFields(
  (decimals) => decimals,
  () => 0,
  () => 0,
  () => 0,
);

const isSummaryField = (name: string): name is keyof SummaryFields =>
  Object.hasOwn(SUMMARY_FIELD_DECIMALS, name);
export const SUMMARY_FIELD_NAMES = Object.keys(SUMMARY_FIELD_DECIMALS).filter(isSummaryField);
