import { z } from "@hono/zod-openapi";
import { trainingLoadSchema } from "../activities/activity.ts";
import { orNull } from "../contract/orNull.ts";

const count = z.number().int().min(0);
const counts = z.array(count);
const numbers = z.array(z.number());
const date = z.iso.date();

/** Numbers of calendar weeks and days that a baseline covers, and its time constants. */
export const BASELINE_WEEKS = 52;
export const BASELINE_DAYS = 90;
export const AVERAGE_DAYS = [7, 28, 42] as const;
export const FITNESS_DAYS = 42;
export const FATIGUE_DAYS = 7;
/** A gap without activities is listed if it has more days than this. */
export const GAP_DAYS = 14;
/** Maximum number of a user's activities that a baseline is computed from: the newest ones. */
export const BASELINE_ACTIVITIES = 5_000;
/** Maximum number of a user's activities that are searched for the newest ones. */
export const SEARCHED_ACTIVITIES = 20_000;
/** Maximum number of sports with weeks of their own and with best efforts, and of stated values of each kind. */
export const BASELINE_SPORTS = 8;
export const EFFORT_SPORTS = 5;
export const STATED_VALUES = 5;
/** Durations of the best efforts that show a threshold, and of the one that shows the maximum heart rate. */
export const THRESHOLD_MINUTES = [20, 60] as const;
export const OBSERVED_SECONDS = 30;
/** Maximum size of a baseline as JSON. */
export const MAX_BASELINE_BYTES = 64 * 1024;

const sportWeeksSchema = z
  .strictObject({
    sport: z.string().nullable(),
    activities: counts,
    activities_with_duration: counts,
    activities_with_distance: counts,
    duration_in_seconds: numbers,
    distance_in_meters: numbers,
    load: numbers,
  })
  .openapi("TrainingSportWeeks");

const daysSchema = z
  .strictObject({
    first_day: date,
    activities: counts,
    duration_in_seconds: numbers,
    load: numbers,
    fitness: numbers,
    fatigue: numbers,
  })
  .openapi("TrainingDays");

const averageSchema = z
  .strictObject({
    days: count,
    activities: count,
    activities_with_duration: count,
    activities_with_distance: count,
    duration_in_seconds_per_day: z.number(),
    distance_in_meters_per_day: z.number(),
    load_per_day: z.number(),
  })
  .openapi("TrainingAverage");

const heartRateBoundSchema = z
  .strictObject({
    beats_per_minute: z.number(),
    basis: z.enum(["stated", "observed", "assumed"]).openapi("HeartRateBoundBasis"),
    local_date: date.nullable(),
    activity_id: z.string().nullable(),
    activities: count,
  })
  .openapi("HeartRateBound");

const longestSessionSchema = z
  .strictObject({
    sport: z.string(),
    activity_id: z.string(),
    local_date: date,
    duration_in_seconds: z.number(),
    distance_in_meters: z.number().nullable(),
    activities: count,
  })
  .openapi("LongestSession");

export const EFFORT_QUANTITIES = [
  "power_in_watts",
  "heart_rate_in_beats_per_minute",
  "speed_in_meters_per_second",
] as const;
const effortSchema = z
  .strictObject({
    sport: z.string(),
    quantity: z.enum(EFFORT_QUANTITIES).openapi("EffortQuantity"),
    duration_in_seconds: count,
    value: z.number(),
    local_date: date,
    activity_id: z.string(),
    activities: count,
  })
  .openapi("TrainingEffort");

export const STATED_KINDS = [
  "functional_threshold_power_in_watts",
  "threshold_heart_rate_in_beats_per_minute",
  "max_heart_rate_in_beats_per_minute",
  "resting_heart_rate_in_beats_per_minute",
] as const;
const statedSchema = z
  .strictObject({
    kind: z.enum(STATED_KINDS).openapi("ThresholdKind"),
    value: z.number(),
    first_date: date,
    last_date: date,
    activities: count,
  })
  .openapi("StatedThreshold");

const gapSchema = z.strictObject({ after: date, before: date, days: count }).openapi("TrainingGap");

const leftOutSchema = z
  .strictObject({
    duplicates: count,
    excluded: count,
    without_start: count,
    in_future: count,
    too_many: count,
    too_many_before: date.nullable(),
    more: z.boolean(),
  })
  .openapi("LeftOutOfTraining");

export const baselineSchema = z
  .strictObject({
    user_id: z.string(),
    as_of: date,
    activities: count,
    activities_with_local_date: count,
    first_date: date.nullable(),
    last_date: date.nullable(),
    days_since_last_activity: count.nullable(),
    weeks: z
      .strictObject({ first_days: z.array(date), activities: count, sports: z.array(sportWeeksSchema) })
      .openapi("TrainingWeeks"),
    days: daysSchema,
    averages: z.array(averageSchema),
    fitness: z
      .strictObject({ fitness: z.number(), fatigue: z.number(), form: z.number(), activities: count })
      .openapi("TrainingFitness"),
    load_bases: z.array(
      z
        .strictObject({ basis: trainingLoadSchema.shape.basis, activities: count, load: z.number() })
        .openapi("TrainingLoadOfBasis"),
    ),
    heart_rate_bounds: orNull(
      z
        .strictObject({ resting: heartRateBoundSchema, max: heartRateBoundSchema })
        .openapi("TrainingHeartRateBounds"),
    ),
    longest_sessions: z.array(longestSessionSchema),
    best_efforts: z.array(effortSchema),
    thresholds: z
      .strictObject({ stated: z.array(statedSchema), best_efforts: z.array(effortSchema) })
      .openapi("TrainingThresholds"),
    gaps: z.array(gapSchema),
    left_out: leftOutSchema,
  })
  .openapi("TrainingBaseline");
export type Baseline = z.infer<typeof baselineSchema>;
export type TrainingEffort = z.infer<typeof effortSchema>;
export type StatedThreshold = z.infer<typeof statedSchema>;
export type HeartRateBound = z.infer<typeof heartRateBoundSchema>;
