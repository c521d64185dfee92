import type { Athlete } from "./athlete.ts";
import type { BestEfforts } from "./bestEfforts.ts";
import type { Exercise } from "./exercises.ts";
import type { LapFields, LengthFields, SetFields } from "./partFields.ts";
import type { Quantities } from "./quantities.ts";
import type { SummaryFields } from "./summaryFields.ts";
import type { LoadEvidence, TrainingLoad } from "./trainingLoad.ts";

/** Results of the decoder, with the field names, units and nulls of the partner API. */

export const FIT_WARNINGS = [
  "fit_truncated",
  "fit_crc_mismatch",
  "fit_segment_unreadable",
  "fit_trailing_bytes",
  "clock_not_set",
  "clock_jump",
  "elapsed_corrected",
  "start_time_mismatch",
] as const;
export type FitWarning = (typeof FIT_WARNINGS)[number];

/** Messages with beat-to-beat intervals. Of those with equally many in a session the first is preferred. */
export const RR_SOURCES = ["hrv", "beat_intervals", "raw_bbi"] as const;
export type RrSource = (typeof RR_SOURCES)[number];

/** Reasons why bytes contain no activity. Each is an error code of a file. */
export type FitProblemCode = "not_fit" | "not_an_activity" | "no_activity_data";
export interface FitProblem {
  code: FitProblemCode;
  /** Sentences for the partner. They never quote the file. */
  detail: string;
}

/** Numbers of zones, lowest zone first. Null for an invalid one. */
export type ZoneNumbers = (number | null)[];
/** A zone extends from the upper bound of the zone before it to its own upper bound. */
interface Zones {
  time_in_seconds: ZoneNumbers | null;
}
export interface TimeInZones {
  heart_rate:
    (Zones & { calculation: string | null; upper_bounds_in_beats_per_minute: ZoneNumbers | null }) | null;
  power: (Zones & { calculation: string | null; upper_bounds_in_watts: ZoneNumbers | null }) | null;
  speed: (Zones & { upper_bounds_in_meters_per_second: ZoneNumbers | null }) | null;
  cadence: (Zones & { upper_bounds_in_cycles_per_minute: ZoneNumbers | null }) | null;
}

/** A developer field of a session or lap. */
export interface DecodedDeveloperField {
  name: string;
  units: string | null;
  value: number | string | (number | null)[];
}

export interface DecodedLap extends Quantities, LapFields {
  lap_index: number;
  start_time_in_seconds: number | null;
  trigger: string | null;
  strokes: number | null;
  time_in_zones: TimeInZones | null;
  developer_fields: DecodedDeveloperField[];
}

export interface DecodedLength extends LengthFields {
  length_index: number;
  lap_index: number | null;
  type: "active" | "idle" | null;
  start_time_in_seconds: number | null;
  elapsed_time_in_seconds: number | null;
}

export interface DecodedSet extends SetFields {
  set_index: number;
  start_time_in_seconds: number | null;
  exercise: Exercise | null;
}

export interface DecodedDevice {
  device_index: number | null;
  device_type: string | null;
  manufacturer: string | null;
  product: string | null;
  serial_number: number | null;
  software_version: number | null;
  battery_status: string | null;
  battery_level_in_percent: number | null;
  battery_voltage_in_volts: number | null;
}

/** Parts of an activity that need no records. */
export interface ActivityParts {
  laps: DecodedLap[];
  lengths: DecodedLength[];
  sets: DecodedSet[];
  devices: DecodedDevice[];
  athlete: Athlete;
  time_in_zones: TimeInZones | null;
  developer_fields: DecodedDeveloperField[];
}

export interface DecodedActivity extends Quantities, SummaryFields, ActivityParts {
  session_index: number;
  session_count: number;
  sport: string;
  sub_sport: string | null;
  start_time_in_seconds: number | null;
  /** Local date of the start, as YYYY-MM-DD. */
  local_date: string | null;
  training_load: TrainingLoad | null;
  best_efforts: BestEfforts;
  load_evidence: LoadEvidence;
  /** Names of fields and streams that the file lacks and that were computed. */
  derived: string[];
  /** Keys of the streams that `decodeStreams` returns for this activity. */
  streams: string[];
}

export interface DecodeOptions {
  /** The ping's `start_time_in_seconds`, used for files whose clock was never set; null without a ping. */
  fallbackStartInSeconds: number | null;
  /** When the file was received, in Unix seconds. A later start gives the warning `start_time_mismatch`; null skips that check. */
  receivedAtInSeconds?: number | null;
}

export type DecodeResult =
  { ok: true; warnings: FitWarning[]; activities: DecodedActivity[] } | { ok: false; problem: FitProblem };

export interface StreamsOptions extends DecodeOptions {
  sessionIndex: number;
  /** Keys to return; null for all. */
  keys: readonly string[] | null;
  /** Maximum number of rows; the extremes of each bucket are kept. Null for every row. */
  resolution: number | null;
}

/** Columns of equal length, with null for no reading. */
export interface Streams {
  downsampled: boolean;
  columns: Record<string, (number | null)[]>;
}

export interface RrOptions extends DecodeOptions {
  sessionIndex: number;
  /** Maximum number of intervals. */
  most: number;
}

/** Beat-to-beat intervals of an activity. Lists of equal length. */
export interface RrIntervals {
  /** Message that the intervals come from; null without intervals. */
  source: RrSource | null;
  /** Share of the timer time that the intervals cover; null for an unknown timer time. */
  coverage: number | null;
  /** Share of the intervals that are artefacts; null without intervals. */
  artefact_share: number | null;
  /** Whether intervals beyond the limit are missing. */
  truncated: boolean;
  /** Time of the beat at the end of each interval, in seconds since the activity's start. Never decreases. */
  time_in_seconds: number[];
  intervals_in_seconds: number[];
}
