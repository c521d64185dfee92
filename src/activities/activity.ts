import { z } from "@hono/zod-openapi";
import { orNull } from "../contract/orNull.ts";
import { editedFieldSchema } from "../files/file.ts";
import { quantities } from "../fit/quantities.ts";
import { OFFSET_SOURCES, summaryFields } from "../fit/summaryFields.ts";
import { athleteFields, type Athlete } from "../fit/athlete.ts";
import type { BestEfforts } from "../fit/bestEfforts.ts";
import { lapFields, lengthFields, setFields, type PartFields } from "../fit/partFields.ts";
import {
  RR_SOURCES,
  type DecodedActivity,
  type DecodedDeveloperField,
  type DecodedDevice,
  type DecodedLap,
  type DecodedLength,
  type DecodedSet,
  type RrIntervals,
  type TimeInZones,
} from "../fit/types.ts";
import { LOAD_BASES, type TrainingLoad } from "../fit/trainingLoad.ts";

const number = z.number().nullable();
const int = z.number().int().nullable();

const text = z.string().nullable();

const partFields: PartFields<typeof number, typeof text> = {
  number: (decimals) => (decimals === 0 ? int : number),
  index: () => int,
  name: () => text,
};

const zoneNumbers = z.array(number).nullable();
const timeInZonesSchema = z
  .strictObject({
    heart_rate: orNull(
      z
        .strictObject({
          calculation: text,
          time_in_seconds: zoneNumbers,
          upper_bounds_in_beats_per_minute: zoneNumbers,
        })
        .openapi("HeartRateZones"),
    ),
    power: orNull(
      z
        .strictObject({ calculation: text, time_in_seconds: zoneNumbers, upper_bounds_in_watts: zoneNumbers })
        .openapi("PowerZones"),
    ),
    speed: orNull(
      z
        .strictObject({ time_in_seconds: zoneNumbers, upper_bounds_in_meters_per_second: zoneNumbers })
        .openapi("SpeedZones"),
    ),
    cadence: orNull(
      z
        .strictObject({ time_in_seconds: zoneNumbers, upper_bounds_in_cycles_per_minute: zoneNumbers })
        .openapi("CadenceZones"),
    ),
  })
  .openapi("TimeInZones") satisfies z.ZodType<TimeInZones>;

const developerFieldSchema = z
  .strictObject({
    name: z.string(),
    units: text,
    value: z.union([z.number(), z.string(), z.array(number)]),
  })
  .openapi("DeveloperField") satisfies z.ZodType<DecodedDeveloperField>;

const lapSchema = z
  .strictObject({
    lap_index: z.number().int(),
    start_time_in_seconds: number,
    trigger: z.string().nullable(),
    ...quantities(() => number),
    ...lapFields(partFields),
    strokes: int,
    time_in_zones: orNull(timeInZonesSchema),
    developer_fields: z.array(developerFieldSchema),
  })
  .openapi("Lap") satisfies z.ZodType<DecodedLap>;

const lengthSchema = z
  .strictObject({
    length_index: z.number().int(),
    lap_index: int,
    type: orNull(z.enum(["active", "idle"]).openapi("LengthType")),
    start_time_in_seconds: number,
    elapsed_time_in_seconds: number,
    ...lengthFields(partFields),
  })
  .openapi("Length") satisfies z.ZodType<DecodedLength>;

const setSchema = z
  .strictObject({
    set_index: z.number().int(),
    start_time_in_seconds: number,
    exercise: orNull(z.strictObject({ category: z.string(), name: text }).openapi("Exercise")),
    ...setFields(partFields),
  })
  .openapi("StrengthSet") satisfies z.ZodType<DecodedSet>;

const athleteSchema = z
  .strictObject(athleteFields((decimals) => (decimals === 0 ? int : number)))
  .openapi("Athlete") satisfies z.ZodType<Athlete>;

const deviceSchema = z
  .strictObject({
    device_index: int,
    device_type: z.string().nullable(),
    manufacturer: z.string().nullable(),
    product: z.string().nullable(),
    serial_number: number,
    software_version: number,
    battery_status: z.string().nullable(),
    battery_level_in_percent: int,
    battery_voltage_in_volts: number,
  })
  .openapi("Device") satisfies z.ZodType<DecodedDevice>;

export const detailsSchema = z.strictObject({
  laps: z.array(lapSchema),
  lengths: z.array(lengthSchema),
  sets: z.array(setSchema),
  devices: z.array(deviceSchema),
  athlete: athleteSchema,
  time_in_zones: orNull(timeInZonesSchema),
  developer_fields: z.array(developerFieldSchema),
});
/** Parts of an activity that are decoded from the stored bytes on request. */
export type ActivityDetails = z.infer<typeof detailsSchema>;

/** Details of an activity that has none, as of a file whose session the current decoder does not find. */
export const NO_DETAILS: ActivityDetails = {
  laps: [],
  lengths: [],
  sets: [],
  devices: [],
  athlete: athleteFields(() => null),
  time_in_zones: null,
  developer_fields: [],
};

export const trainingLoadSchema = z
  .strictObject({
    value: z.number(),
    basis: z.enum(LOAD_BASES).openapi("TrainingLoadBasis"),
    coverage: number,
  })
  .openapi("TrainingLoad") satisfies z.ZodType<TrainingLoad>;

const bestEffortsSchema = z
  .strictObject({
    durations_in_seconds: z.array(z.number().int()),
    power_in_watts: z.array(int).nullable(),
    heart_rate_in_beats_per_minute: z.array(int).nullable(),
    speed_in_meters_per_second: z.array(number).nullable(),
  })
  .openapi("BestEfforts") satisfies z.ZodType<BestEfforts>;

/** Summary of one session of a file, without its details. */
export const summarySchema = z.strictObject({
  session_index: z.number().int(),
  session_count: z.number().int(),
  sport: z.string(),
  sub_sport: z.string().nullable(),
  start_time_in_seconds: number,
  ...quantities(() => number),
  ...summaryFields(
    (decimals) => (decimals === 0 ? int : number),
    () => z.string().nullable(),
    () => z.boolean(),
    () => orNull(z.enum(OFFSET_SOURCES).openapi("OffsetSource")),
  ),
  local_date: z.iso.date().nullable(),
  training_load: orNull(trainingLoadSchema),
  best_efforts: bestEffortsSchema,
  derived: z.array(z.string()),
  streams: z.array(z.string()),
}) satisfies z.ZodType<Omit<DecodedActivity, keyof ActivityDetails | "load_evidence">>;
export type ActivitySummary = z.infer<typeof summarySchema>;

const names = {
  activity_id: z.string(),
  file_id: z.string(),
  user_id: z.string(),
  source: z.string(),
  summary_id: z.string(),
  activity_name: z.string().nullable(),
};

/** Fields of an activity that only its partner sets, and the names of all edited fields. */
const edits = {
  exclude_from_training: z.boolean(),
  edited: z.array(editedFieldSchema),
};

/** Other recordings of the same ride: same user, another file. */
const duplicates = {
  duplicate_group: text,
  is_canonical: z.boolean(),
  /** The canonical activity, when this one is not it. */
  possible_duplicate_of: text,
};

const bookkeeping = {
  ...duplicates,
  version: z.number().int(),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
};

export const activitySchema = z
  .strictObject({ ...names, ...summarySchema.shape, ...edits, ...bookkeeping })
  .openapi("Activity");
export type Activity = z.infer<typeof activitySchema>;

/** An activity that a list with `include_deleted` reports as removed. */
export const removedActivitySchema = z
  .strictObject({ activity_id: z.string(), deleted_at: z.iso.datetime() })
  .openapi("RemovedActivity");
export type RemovedActivity = z.infer<typeof removedActivitySchema>;

export const activityWithPartsSchema = z
  .strictObject({ ...activitySchema.shape, ...detailsSchema.shape })
  .openapi("ActivityWithParts");
export type ActivityWithParts = z.infer<typeof activityWithPartsSchema>;

/** Standard columns of a stream. Developer fields are named `developer.<name>`. */
export { DEVELOPER_PREFIX, STREAM_DESCRIPTIONS, STREAM_KEYS } from "../fit/streamKeys.ts";

/** Columns of equal length. `downsampled` says whether rows were omitted. */
export const streamsSchema = z
  .object({ downsampled: z.boolean() })
  .catchall(z.array(z.number().nullable()))
  .openapi("Streams");
export type ActivityStreams = z.infer<typeof streamsSchema>;

export const rrIntervalsSchema = z
  .strictObject({
    source: orNull(z.enum(RR_SOURCES).openapi("RrSource")),
    coverage: number,
    artefact_share: number,
    truncated: z.boolean(),
    time_in_seconds: z.array(z.number()),
    intervals_in_seconds: z.array(z.number()),
  })
  .openapi("RrIntervals") satisfies z.ZodType<RrIntervals>;
