/**
 * Keys of the standard streams, in the order of the API. Developer fields have the key `developer.<name>`.
 *
 * Append only: stored summaries name streams by position.
 */
export const STREAM_KEYS = [
  "time_in_seconds",
  "distance_in_meters",
  "latitude_in_degrees",
  "longitude_in_degrees",
  "altitude_in_meters",
  "speed_in_meters_per_second",
  "heart_rate_in_beats_per_minute",
  "power_in_watts",
  "cadence_in_cycles_per_minute",
  "temperature_in_celsius",
] as const;
export const DEVELOPER_PREFIX = "developer.";
