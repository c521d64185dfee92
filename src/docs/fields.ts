import { inDigits, inWords } from "../contract/amounts.ts";
import {
  ENDPOINT_DAYS,
  ENDPOINT_FAILS_FOR_MS,
  EVENTS_HELD_FOR_MS,
  ERASURE_KEPT_FOR_MS,
  FAILURES_IN_EVENT,
  HELD_FOR_MS,
  KEY_ENDS_WITHIN_MS,
  MAX_CALLBACK_HOSTS,
  MAX_EXPECTED_IDS,
  MAX_ORDERED_SOURCES,
  MAX_OTHER_SOURCES,
  OUTCOMES_IN_EVENT,
  MAX_PINGS,
  MAX_RR_INTERVALS,
  MAX_USERS,
  OVERLAP_HOURS,
  OVERVIEW_DAYS,
  PAGE_ROWS,
  RETENTION_HOURS,
  REMOVAL_BYTES_OF_FILE,
  USAGE_DAYS,
  USAGE_DAYS_DEFAULT,
} from "../contract/limits.ts";
import { IMPORT_COMPLETED } from "../endpoints/endpoint.ts";
import { athleteFields } from "../fit/athlete.ts";
import { EFFORT_SECONDS } from "../fit/bestEfforts.ts";
import { ANSWER_CELLS } from "../fit/index.ts";
import { lapFields, lengthFields, setFields, type PartFields } from "../fit/partFields.ts";
import { quantities } from "../fit/quantities.ts";
import { LARGEST_DEVIATION, LONGEST_SECONDS, NEIGHBOURS, SHORTEST_SECONDS } from "../fit/rrArtefacts.ts";
import { summaryFields } from "../fit/summaryFields.ts";
import { LOAD_PER_MET_HOUR, MIN_COVERAGE, TRIMP_EXPONENT, TRIMP_FACTOR } from "../fit/trainingLoad.ts";
import {
  AVERAGE_DAYS,
  BASELINE_ACTIVITIES,
  BASELINE_DAYS,
  BASELINE_SPORTS,
  BASELINE_WEEKS,
  EFFORT_SPORTS,
  FATIGUE_DAYS,
  FITNESS_DAYS,
  GAP_DAYS,
  OBSERVED_SECONDS,
  SEARCHED_ACTIVITIES,
  STATED_VALUES,
  THRESHOLD_MINUTES,
} from "../training/baseline.ts";
import { MAX_FAULTS } from "../http/problemSchema.ts";
import { ENDPOINT_UNVERIFIED, NO_EVENT_URL, NOTHING_HELD } from "../imports/warnings.pure.ts";
import { MAX_COUNTED } from "../overview/overview.ts";
import { MAX_COUNTED_FILES, MAX_COUNTED_IMPORTS } from "../users/user.ts";

const IMPORT_STATUS =
  "`running` until each file is settled. `cancelled` from the cancellation on. An import completes exactly once.";
const SKIPPED_FILES = "Number of files that the cancellation of their import skipped.";
const IMPORT_WARNINGS = `\`${NOTHING_HELD}\`: the import has no files, because nothing was held for this user and source; check \`source\`. \`${NO_EVENT_URL}\`: the import has an \`event_id\`, but no endpoint receives \`${IMPORT_COMPLETED}\`, so its event is not sent. \`${ENDPOINT_UNVERIFIED}\`: the endpoint has not returned its challenge yet; the event is held until it has. Open list: codes may be added.`;

/** Returns descriptions of the fields of one schema. */
function fieldsOf(schema: string, descriptions: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(descriptions).map(([name, description]) => [`${schema}.${name}`, description]),
  );
}
const PART_FIELDS: PartFields<string, string> = {
  number: (_decimals, description) => description,
  index: (description) => description,
  name: (_names, description) => description,
};
const UPPER_BOUNDS =
  "Upper bound of each zone, in the order of the times. A zone begins at the bound before its own. Without a bound the last zone is open; some devices write a very large bound instead. Null when the file has none.";

const AT_READ =
  "Determined when you read: `updated_at` does not change when another activity of the group changes or is deleted.";

/** Descriptions of fields and parameters. `Schema.field` wins over `field`, `query.name` over `name`. */
export const FIELDS: Readonly<Record<string, string>> = {
  // Names and content of a ping
  file_type: "Type of the file. Always `FIT`.",
  activity_name: "Title of the activity. Null when the ping has none.",
  priority:
    "`1`: the file is imported at once, for a live ride. `0`: it is held until the task, for a history.",
  user_id: "Your id of the user, returned byte for byte. Must not be `.` or `..`.",
  source: "Origin of the file: a device line, an app or an account, such as `head-unit`.",
  overwrite_mode:
    "`true`: imports the file again if it was imported before. The earlier version can be read until the new one replaces it. `false`: a ping of an imported file is a `duplicate`.",
  start_time_in_seconds: "Start, in Unix seconds. Null when the file has no time.",
  "Ping.start_time_in_seconds": "Start of the activity, in Unix seconds, as a string of 1 to 10 digits.",
  "ActivityFile.start_time_in_seconds": "Start of the activity as the ping sent it, in Unix seconds.",
  callback_url:
    "An `https` URL of the file, or the file itself in base64. A local service also accepts `http`.",
  summary_id: "Your id of the file. With `user_id` and `source` it identifies one file.",
  sequence_number:
    "Your number of this ping, from 0. A ping with a lower number than an accepted ping of the same file is `superseded`, in whatever order they arrive. Null or absent: the newest arrival wins.",
  "ActivityFile.sequence_number":
    "`sequence_number` of the newest ping that was neither a duplicate nor superseded. Null when it had none.",
  activity_files: `1 to ${inDigits(MAX_PINGS)} pings of at most ${MAX_USERS} users. A user counts once for each source.`,
  bulk_fit_transfer_complete:
    "Always `true`: you have sent all pings of this history and received the responses.",
  is_initial_import:
    "`true`: a training plan is requested when the import completes. `false`: no plan is requested.",
  event_id: "Your id for the event that announces the completed import. Null when no event is sent.",
  "Task.event_id":
    "Your id for the event that announces the completed import. Null or absent: no event is sent.",
  expected_summary_ids: `The \`summary_id\` of each file of this history, at most ${inDigits(MAX_EXPECTED_IDS)}. The response lists those that were never pinged as \`missing_summary_ids\`.`,

  // Files
  file_id: "Id of the file. The same partner, user, source and `summary_id` always give the same id.",
  "RejectedPing.file_id": "Id of the file. Null when its user, source or `summary_id` is invalid.",
  "RejectedPing.user_id": "`user_id` of the ping. Null when it is invalid.",
  "RejectedPing.source": "`source` of the ping. Null when it is invalid.",
  "RejectedPing.summary_id": "`summary_id` of the ping. Null when it is invalid.",
  "RejectedPing.status": "Always `rejected`.",
  "RejectedPing.errors": "Faults of this ping.",
  "AcceptedPing.status":
    "`queued`: the file will be imported now. `held`: it waits for the task. `duplicate`: the ping changes nothing. `superseded`: the ping changes nothing, because the service has accepted a ping of this file with a higher `sequence_number`.",
  accepted: "Number of accepted pings: all that are not `rejected`.",
  "AcceptedPings.files": "Result of each ping, in the order of the request.",
  attempts:
    "Number of attempts to import the file, and of failed ones to download it while it is held. Counts on over retries, and over new pings with `priority` 1 of a queued or failed file. Starts again at 0 when a new ping is held, or comes after the file's import.",
  import_id: "Id of the import.",
  "ActivityFile.import_id":
    "Id of the import that contains this version. Null for a held file and a live ride.",
  "PartnerEvent.import_id": "Id of the import that the event announces. Null for other events.",
  "EventWithAttempts.import_id": "Id of the import that the event announces. Null for other events.",
  "TimelineEntry.import_id": "Id of the import that released the file. Present in `released` steps.",
  error: "Why the file failed or was skipped. Null unless `status` is `failed` or `skipped`.",
  last_error:
    "Why the last attempt failed, of a queued file, or of a held one with the setting `prefetch_held`. Null before the first attempt, after a new ping or a successful download, and unless `status` is `queued` or `held`.",
  "ActivityFile.next_attempt_at":
    "When the file is tried again after `last_error`. The attempt is later while its host is busy. Null unless an attempt has failed and `status` is `queued` or `held`. Null after a retry, which is tried at once. Null when a held file is not tried again before its task.",
  http_status:
    "HTTP status of the host's last response, such as `404`. Null when the host sent no response, or when the error occurred after the download.",
  retryable:
    "`true`: after the file has failed, `POST /api/files/{file_id}/retry/` can help. `false`: the same bytes fail again, or neither the bytes nor the URL are stored. Ping the file again.",
  sha256:
    "SHA-256 of the original bytes, in hexadecimal. Null before the file is imported, unless it failed after its download.",
  size_in_bytes: "Size of the original bytes. Null when `sha256` is null.",
  "ActivityFile.warnings": "Problems in the file that did not prevent its import.",
  "Inspection.warnings": "Problems in the file that would not prevent its import.",
  activity_ids: "Ids of the activities that can be read. Empty until a version is imported.",
  edited: "Names of the fields whose values you have set by an edit. See “Editing” in the guide.",
  "FileEdit.activity_name":
    "New title of the activity. Null undoes the edit: the title of the ping is returned again.",
  exclude_from_training:
    "`true`: you have excluded the activity from training. `false` unless you have edited it.",
  "ActivityEdit.sport": "Name of a sport in the FIT profile, such as `running`. Null undoes the edit.",
  "ActivityEdit.sub_sport": "Name of a sub-sport in the FIT profile, such as `trail`. Null undoes the edit.",
  "ActivityEdit.exclude_from_training": "`true` excludes the activity from training. Null undoes the edit.",
  "PendingActivityEdit.sport": "Edited sport. Null without an edit.",
  "PendingActivityEdit.sub_sport": "Edited sub-sport. Null without an edit.",
  "PendingActivityEdit.exclude_from_training": "Edited value. Null without an edit.",
  received_at: "Time of the newest ping that was neither a duplicate nor superseded.",
  updated_at: "Time of the last change.",
  retried_files: "Number of files that this request queued again.",
  retried_at:
    "Time of this request. With `import_id` and `updated_since`, `GET /api/files/` lists what has become of these files.",
  "Import.updated_at": "Time of the last change, also of the state of its event or plan request.",
  "RetriedImport.updated_at": "Time of the last change, also of the state of its event or plan request.",
  created_at: "Time of creation.",
  "ActivityFile.status":
    "State of the newest version. `skipped`: its import was cancelled before the file was imported.",

  // Imports
  requested_at: "Time of the task.",
  completed_at: "Time at which the last file was settled. Null while the import runs.",
  files: "Number of files by outcome.",
  total: "Number of all files.",
  pending: "Number of files that are not settled.",
  imported: "Number of imported files.",
  skipped:
    "Number of files that needed no new import, that a newer ping replaced, or that a cancellation skipped.",
  failed: "Number of failed files.",
  held: "Number of files that wait for the task.",
  queued: "Number of files that wait for their import or are being imported.",
  missing_summary_ids: `The \`expected_summary_ids\` that were never pinged. Absent in lists, when the task had no \`expected_summary_ids\`, and from ${inWords(HELD_FOR_MS)} after the task.`,
  repeated: "`true`: an equal task had started this import before. See “Repeating a request” in the guide.",
  "ImportAnswer.warnings": IMPORT_WARNINGS,
  "Import.warnings": IMPORT_WARNINGS,
  "RetriedImport.warnings": IMPORT_WARNINGS,
  "ImportCompletedData.warnings": `\`${NOTHING_HELD}\`: the import has no files, because nothing was held for this user and source. Else empty. Open list: codes may be added.`,
  held_under_other_source: `Present with the warning \`${NOTHING_HELD}\`: the user's other sources that had held files at the time of the task. Empty when no other source had any. Null when this is unknown, because a store did not respond in time or the user has more than ${MAX_OTHER_SOURCES} other sources.`,
  training_plan: "The request for a training plan. Null when no plan was requested.",
  event:
    "Delivery of this import's completion event. Null until the event exists. A task without `event_id` has no event.",
  "ImportAnswer.status": IMPORT_STATUS,
  "Import.status": IMPORT_STATUS,
  "RetriedImport.status": IMPORT_STATUS,
  "ImportCompletedData.status":
    "`cancelled` after a cancellation. Else `completed_with_failures` when a file failed, or `completed`.",
  "FilesByStatus.skipped": SKIPPED_FILES,
  "OverviewDay.skipped": SKIPPED_FILES,
  "SourceFiles.skipped": SKIPPED_FILES,
  "TrainingPlan.status":
    "`requested`: the request is not delivered yet. `delivered`: the planner accepted it. `failed`: the planner did not accept it.",
  "ImportEvent.status": "State of the delivery.",
  "ImportEvent.attempts": "Number of attempts to deliver the event.",

  "ReportFile.type": "Always `file`.",
  "ReportFile.status": "State of the file's newest version.",
  "ReportFile.error_code": "`error.code` of a failed or skipped file. Else null.",
  "ReportFile.start_time_in_seconds":
    "Start of the first session, in Unix seconds. Null when no activity can be read.",
  "ReportFile.sport":
    "Sport, as the FIT profile names it. `multisport` when the file's sessions have several. Null when no activity can be read.",
  "ReportFile.distance_in_meters": "Distance of all sessions. Null when not measured.",
  "ReportEnd.type": "Always `end`.",
  "ReportEnd.status": IMPORT_STATUS,
  first_start_time_in_seconds: "Earliest start of the listed files, in Unix seconds. Null without any.",
  last_start_time_in_seconds: "Latest start of the listed files, in Unix seconds. Null without any.",
  longest_gap: "The longest gap between two consecutive starts of the listed files. Null for fewer than two.",
  "ReportGap.start_time_in_seconds": "Start before the gap, in Unix seconds.",
  end_time_in_seconds: "Start after the gap, in Unix seconds.",
  duration_in_seconds: "Length of the gap, in seconds.",
  "ReportEnd.missing_summary_ids":
    "The `expected_summary_ids` that were never pinged. Absent when the import has no such list.",
  "ReportError.type": "Always `error`.",

  // Activities
  activity_id: "Id of the activity: `{file_id}.{session_index}`.",
  session_index: "Index of the session in its file, from 0. A triathlon has five.",
  session_count: "Number of sessions in the file.",
  sport: "Sport, as the FIT profile names it, such as `cycling`. An unknown number n is `unknown_n`.",
  sub_sport: "Sub-sport, as the FIT profile names it, such as `road`. Null when the file has none.",
  ...quantities((_decimals, description) => `${description} Null when not measured.`),
  ...summaryFields(
    (_decimals, description) => description,
    (description) => description,
    (description) => description,
    (description) => description,
  ),
  local_date: "Local date of the start, such as `2026-11-25`. Null when start or offset is unknown.",
  training_load:
    "How demanding the activity was, with what it was computed from. Loads of different bases have different scales. Null when the activity has neither a score of the device nor a duration.",
  "TrainingLoad.value": "The load, rounded to one decimal.",
  basis: `First of these that the activity has. \`device_training_stress_score\`: the field \`training_stress_score\`, as the device computed it. \`device_training_load_peak\`: the field \`training_load_peak\`, as the device computed it. \`power\`: hours × (normalized power / functional threshold power that the file states)² × 100, so that an hour at the threshold is 100. \`heart_rate\`: Banister's TRIMP, the sum of minutes × r × ${TRIMP_FACTOR} × e^(${TRIMP_EXPONENT} × r), with r = (heart rate − resting) / (maximum − resting) and both bounds stated in the file; the weights are those for men, for all athletes. \`duration\`: a rough estimate, hours × metabolic equivalents of the sport × ${LOAD_PER_MET_HOUR}. Power and heart rate count from a coverage of ${MIN_COVERAGE}.`,
  "TrainingLoad.coverage":
    "Share of the timer time with power or heart rate readings, from 0 to 1. Null for the other bases, and for power that only the session states.",
  best_efforts:
    "Best averages by duration: lists in the order of `durations_in_seconds`. See “Training load and best efforts” in the guide.",
  durations_in_seconds: `Durations of the efforts: always ${EFFORT_SECONDS.join(", ")}.`,
  "BestEfforts.power_in_watts":
    "Best average power of each duration. Null for a duration without one. The list is null without power readings.",
  "BestEfforts.heart_rate_in_beats_per_minute":
    "Best average heart rate of each duration. Null for a duration without one. The list is null without readings.",
  "BestEfforts.speed_in_meters_per_second":
    "Best average speed of each duration, in metres per second. Null for a duration without one, in a pool also for those shorter than a length. The list is null without readings.",
  derived:
    "Names of fields and streams that are missing in the file and were computed from its other values. `laps.start_time_in_seconds` means that the start times of laps were computed.",
  streams:
    "Names of the streams that can be read. Developer fields are named `developer.<name>`. An array field has one stream for each member: `developer.<name>.0`, `developer.<name>.1` and so on.",
  duplicate_group: `Id that the user's recordings of one ride share. Null without duplicates. ${AT_READ}`,
  is_canonical: `\`true\` for the activity that counts for its group, and for every activity without duplicates. ${AT_READ}`,
  possible_duplicate_of: `Id of the canonical activity of the group. Null for the canonical activity, and without duplicates. ${AT_READ}`,
  version: "Version of the activity. A newer import of its file has a higher one.",
  laps: "Laps, in order.",
  lengths: "Pool lengths, in order.",
  devices: "Devices and sensors that recorded the activity.",
  lap_index: "Index of the lap, from 0.",
  "Length.lap_index": "Index of the lap that contains the length, from 0. Null when unknown.",
  length_index: "Index of the length, from 0.",
  trigger: "What ended the lap, as the FIT profile names it, such as `distance`. Null when unknown.",
  ...fieldsOf("Lap", lapFields(PART_FIELDS)),
  "Lap.strokes": "Number of swim strokes. Null when not a swim or not counted.",
  "Length.type": "`active`: swum. `idle`: a rest. Null when unknown.",
  ...fieldsOf("Length", lengthFields(PART_FIELDS)),
  sets: "Strength sets, in order.",
  set_index: "Index of the set, from 0.",
  exercise: "Exercise of the set. Null when the file has none.",
  "Exercise.category": "Category, as the FIT profile names it, such as `bench_press`.",
  "Exercise.name": "Exercise, as the FIT profile names it, such as `barbell_bench_press`. Null when unknown.",
  ...fieldsOf("StrengthSet", setFields(PART_FIELDS)),
  athlete: "The athlete as the device knew them.",
  ...fieldsOf(
    "Athlete",
    athleteFields((_decimals, description) => description),
  ),
  time_in_zones: "Time in training zones, as the device counted it. Null when the file has none.",
  heart_rate: "Zones of heart rate. Null when the file has none.",
  power: "Zones of power. Null when the file has none.",
  speed: "Zones of speed. Null when the file has none.",
  cadence: "Zones of cadence. Null when the file has none.",
  "HeartRateZones.calculation":
    "What the device computed the bounds from: `custom`, `percent_max_hr`, `percent_hrr` (heart rate reserve) or `percent_lthr` (threshold heart rate). Null when unknown.",
  "PowerZones.calculation":
    "What the device computed the bounds from: `custom` or `percent_ftp` (functional threshold power). Null when unknown.",
  ...Object.fromEntries(
    ["HeartRateZones", "PowerZones", "SpeedZones", "CadenceZones"].map((schema) => [
      `${schema}.time_in_seconds`,
      "Time in each zone, lowest zone first. The first one lies below zone 1 on many devices. Null when the file has none.",
    ]),
  ),
  upper_bounds_in_beats_per_minute: UPPER_BOUNDS,
  upper_bounds_in_watts: UPPER_BOUNDS,
  upper_bounds_in_meters_per_second: UPPER_BOUNDS,
  upper_bounds_in_cycles_per_minute: UPPER_BOUNDS,
  developer_fields:
    "Fields that apps on the device added to the session or lap. Fields of records are streams named `developer.<name>`.",
  "DeveloperField.name": "Name of the field, as the app described it.",
  "DeveloperField.units": "Unit of the field, as the app described it. Null when it has none.",
  "DeveloperField.value": "A number, a text, or the numbers of an array with null for an invalid one.",
  device_index:
    "Index of the device in the file. Several devices can have the same index. Null when the file has none.",
  device_type:
    "Kind of device, such as `heart_rate_strap`, `wrist_heart_rate`, `power_meter`, `foot_pod` or `trainer`. Null when unknown.",
  battery_status:
    "Last battery status: `new`, `good`, `ok`, `low`, `critical` or `charging`. Null when unknown.",
  battery_level_in_percent: "Last recorded charge of the battery, in percent. Null when unknown.",
  battery_voltage_in_volts: "Last recorded voltage of the battery, in volts. Null when unknown.",
  manufacturer: "Manufacturer, as the FIT profile names it, such as `garmin`. Null when unknown.",
  product: "Name of the product, such as `edge530`. Null when unknown.",
  serial_number: "Serial number. Null when unknown.",
  software_version: "Version of the device's software, such as `9.73`. Null when unknown.",
  downsampled: `\`true\`: rows were left out to meet \`resolution\`, or because the response would have more than ${inDigits(ANSWER_CELLS)} numbers.`,
  stream_data: "Streams by name, as columns of equal length. Present only with `streams=true`.",
  "InspectedActivity.streams": "Names of the streams in the file.",
  rr_intervals:
    "Beat-to-beat intervals, as `GET /api/activities/{activity_id}/rr/` returns them. Present only with `streams=true`.",
  "RrIntervals.source":
    "FIT message that contains the intervals. If the activity has several, the one with the most intervals. Null without intervals.",
  coverage: `Share of the timer time that the intervals cover, from 0 to 1. An interval covers the time up to its beat, from the beat before at the earliest. Pauses do not count. An interval of more than ${LONGEST_SECONDS} seconds contains missed beats and covers nothing. Null when the timer time is unknown.`,
  artefact_share: `Share of the intervals that are artefacts, from 0 to 1: shorter than ${SHORTEST_SECONDS} or longer than ${LONGEST_SECONDS} seconds, more than ${LARGEST_DEVIATION * 100} % from the median of up to ${2 * NEIGHBOURS + 1} intervals (the interval itself and ${NEIGHBOURS} on each side), or marked by the device as uncertain. Artefacts are in the lists. Null without intervals.`,
  truncated: `\`true\`: the activity has more than ${inDigits(MAX_RR_INTERVALS)} intervals, and the later ones are missing here. In an inspection the limit holds for all activities together.`,
  "RrIntervals.time_in_seconds":
    "Time of the beat at the end of each interval, in seconds since the start of the activity, like the stream `time_in_seconds`. Never decreases. Empty without intervals.",
  intervals_in_seconds:
    "Length of each interval, in seconds, as the device recorded it, such as `0.843`. In file order. Empty without intervals.",
  activities: "Activities, one for each session.",
  "UserSource.activities": "Number of activities that can be read.",

  // Training
  "TrainingBaseline.user_id": "Your id of the user.",
  as_of:
    "Today, at the offset from UTC of the latest activity that has one, else in UTC. The date of the latest activity if that is later.",
  "TrainingBaseline.activities": "Number of activities that the baseline is computed from.",
  activities_with_local_date:
    "Number of these with a `local_date`. The others count on the date of their start in UTC.",
  "TrainingBaseline.first_date": "Date of the first activity. Null without activities.",
  "TrainingBaseline.last_date": "Date of the last activity. Null without activities.",
  days_since_last_activity: "Number of days from `last_date` to `as_of`. Null without activities.",
  weeks: `The last ${BASELINE_WEEKS} calendar weeks. The last one contains \`as_of\`.`,
  first_days: "Mondays on which the weeks begin, oldest first. Columns of a sport have one value for each.",
  "TrainingWeeks.activities": "Number of activities in these weeks.",
  sports: `Sports, those with the most time first. Sports after the first ${BASELINE_SPORTS} are combined in one entry with \`sport\` null.`,
  "TrainingSportWeeks.sport": "Sport. Null for all others together.",
  "TrainingSportWeeks.activities": "Number of activities in each week.",
  "TrainingSportWeeks.activities_with_duration":
    "Number of these with a duration. Durations are sums over them.",
  "TrainingSportWeeks.activities_with_distance":
    "Number of these with a distance. Distances are sums over them.",
  "TrainingSportWeeks.duration_in_seconds":
    "Timer time in each week. Elapsed time of activities without timer time.",
  "TrainingSportWeeks.distance_in_meters": "Distance in each week.",
  "TrainingSportWeeks.load": "Sum of the training loads in each week.",
  "TrainingBaseline.days": `The last ${BASELINE_DAYS} days up to \`as_of\`.`,
  first_day: "Date of the first value of each column. Each further value is of the next day.",
  "TrainingDays.activities": "Number of activities of each local date.",
  "TrainingDays.duration_in_seconds": "Timer time of each local date.",
  "TrainingDays.load": "Sum of the training loads of each local date.",
  "TrainingDays.fitness": "Fitness at the end of each day. See `TrainingFitness`.",
  "TrainingDays.fatigue": "Fatigue at the end of each day.",
  averages: `Averages over the last ${AVERAGE_DAYS.join(", ")} days.`,
  "TrainingAverage.days": "Number of days up to and including `as_of`.",
  "TrainingAverage.activities": "Number of activities on these days.",
  "TrainingAverage.activities_with_duration": "Number of these with a duration.",
  "TrainingAverage.activities_with_distance": "Number of these with a distance.",
  duration_in_seconds_per_day: "Timer time per day, days without activities included.",
  distance_in_meters_per_day: "Distance per day, days without activities included.",
  load_per_day: "Training load per day, days without activities included.",
  "TrainingBaseline.fitness": "Fitness and fatigue at the end of `as_of`.",
  "TrainingFitness.fitness": `Exponentially weighted average of the daily load with a time constant of ${FITNESS_DAYS} days: each day it changes by (load − average) × (1 − e^(−1 / ${FITNESS_DAYS})), from 0 before the first activity.`,
  fatigue: `The same average with a time constant of ${FATIGUE_DAYS} days.`,
  form: "Fitness minus fatigue.",
  "TrainingFitness.activities": "Number of activities with a load.",
  load_bases:
    "Loads of `weeks` by what they were computed from. Loads of different bases have different scales.",
  "TrainingLoadOfBasis.activities": "Number of activities.",
  "TrainingLoadOfBasis.load": "Sum of their loads.",
  heart_rate_bounds:
    "Heart rates with which training impulses are computed for files that do not state both. Determined from all counted activities. Null when none shows a maximum heart rate: then these loads have another basis.",
  resting: "Resting heart rate.",
  max: "Maximum heart rate.",
  beats_per_minute: "The heart rate.",
  "HeartRateBound.basis": `\`stated\`: the value that a device stated last. \`observed\`: the highest average over ${OBSERVED_SECONDS} s, if it is higher than the stated value or no device stated one. \`assumed\`: a usual resting heart rate, because no device stated one.`,
  "HeartRateBound.local_date": "Date of the activity that shows it. Null for an assumed one.",
  "HeartRateBound.activity_id": "Id of that activity. Null for an assumed one.",
  "HeartRateBound.activities": "Number of activities with such evidence.",
  longest_sessions: `Longest activity of each sport in \`weeks\`, of the ${BASELINE_SPORTS} sports with the most time.`,
  "LongestSession.local_date": "Date of the activity.",
  "LongestSession.duration_in_seconds": "Its timer time, else its elapsed time.",
  "LongestSession.distance_in_meters": "Its distance. Null when not measured.",
  "LongestSession.activities": "Number of activities of the sport with a duration.",
  "TrainingBaseline.best_efforts": `Best efforts of the last ${BASELINE_DAYS} days, of the ${EFFORT_SPORTS} sports with the most time.`,
  quantity: "What was measured, with its unit.",
  "TrainingEffort.duration_in_seconds": "Duration of the effort.",
  "TrainingEffort.value": "Highest average of this duration, in the unit of `quantity`.",
  "TrainingEffort.local_date": "Date of the activity.",
  "TrainingEffort.activity_id": "Id of the activity.",
  "TrainingEffort.activities": "Number of activities with such an effort.",
  thresholds: "Evidence of thresholds, with dates. The service does not choose a threshold.",
  stated: `Values that devices stated: the latest ${STATED_VALUES} different values of each kind, latest first.`,
  "TrainingThresholds.best_efforts": `Best efforts of ${THRESHOLD_MINUTES.join(" and ")} minutes in \`weeks\`.`,
  kind: "What was stated, with its unit.",
  "StatedThreshold.value": "The value.",
  "StatedThreshold.first_date": "Date of the first activity that states it.",
  "StatedThreshold.last_date": "Date of the last activity that states it.",
  "StatedThreshold.activities": "Number of activities that state it.",
  gaps: `Periods of more than ${GAP_DAYS} days between two activities, if they end in \`weeks\`. The time since the last activity is \`days_since_last_activity\`.`,
  after: "Date of the activity before the gap.",
  before: "Date of the activity after the gap.",
  "TrainingGap.days": "Number of days from `after` to `before`.",
  left_out:
    "Activities that do not count, by reason. Each is counted once, by the first that applies of `excluded`, `without_start`, `in_future` and `duplicates`.",
  duplicates: "Number of recordings that are not canonical.",
  excluded: "Number of activities with `exclude_from_training`.",
  without_start: "Number of activities without a start.",
  in_future: "Number of activities that start more than an hour in the future.",
  too_many: `Number of older activities that were not read, because the user has more than ${inDigits(BASELINE_ACTIVITIES)}.`,
  too_many_before: "Date in UTC before which activities were not read. Null when all were read.",
  more: `\`true\`: the user has more than ${inDigits(SEARCHED_ACTIVITIES)} activities. Some of them, possibly newer ones, were not read.`,

  // Events
  id: "Id of the event, sent as `webhook-id`. The same for every attempt.",
  timestamp: "Time at which the import completed, or at which the event was created.",
  "OutcomesEvent.type": "Always `outcomes.reported`.",
  "OutcomesEvent.data": "The outcomes.",
  "OutcomesData.endpoint_id": "Id of the endpoint that receives the event.",
  outcomes: `Outcomes in the order of their \`sequence\`, at most ${OUTCOMES_IN_EVENT}.`,
  sequence:
    "Number of the outcome among those for this endpoint. It rises by 1, so a gap shows that an event is missing.",
  "Outcome.type":
    "`file.imported`, `file.failed`, `activity.updated` or `activity.deleted`. Open list: types may be added.",
  "Outcome.activity_ids":
    "Ids of the activities that can be read. For `activity.deleted`, those that were deleted. Empty for a file that was never imported.",
  "Outcome.import_id": "Id of the import that contains the file's newest version. Null for a live ride.",
  "Outcome.status": "`imported`, `failed` or `deleted`.",
  "Outcome.error": "Why the file failed. Null for other types.",
  "Outcome.updated_at": "Time from which the outcome can be read.",
  "Outcome.user_id": "Your id of the user. Null after the file or its user was deleted.",
  "Outcome.source": "Source of the file. Null after the file or its user was deleted.",
  "Outcome.summary_id": "Your id of the file. Null after the file or its user was deleted.",
  "UserErasedEvent.type": "Always `user.erased`.",
  "UserErasedEvent.data": "The receipt.",
  "UserErasedData.user_id": "Your id of the deleted user.",
  "UserErasedData.files": "Number of deleted files, also held ones.",
  "UserErasedData.activities": "Number of deleted activities.",
  "UserErasedData.imports": "Number of deleted imports.",
  "ImportCompletedEvent.data": "The import that completed.",
  "ImportCancelledEvent.type": "Always `import.cancelled`.",
  "ImportCancelledEvent.data": "The import that was cancelled.",
  "TestEvent.data": "Contains the `challenge` of the request. Empty when the request had none.",
  "PartnerEvent.data":
    "Content of the event. Its fields depend on `type`: see `ImportCompletedData`, `ImportCancelledData`, `OutcomesData`, `UserErasedData` and `TestEventData`.",
  "EventWithAttempts.data":
    "Content of the event. Its fields depend on `type`: see `ImportCompletedData`, `ImportCancelledData`, `OutcomesData`, `UserErasedData` and `TestEventData`.",
  "Timeline.data": "Steps, oldest first.",
  data: "Rows of this page.",
  failures: `Failed files, at most ${FAILURES_IN_EVENT}.`,
  more_failures:
    "`true`: more files failed than are listed. `GET /api/files/` with `import_id` and `status=failed` lists all.",
  attempt_count: "Number of attempts to deliver the event.",
  attempts_left:
    "Maximum number of attempts that follow, if all of them fail. 0 when the event is delivered or failed.",
  endpoint_id: "Id of the endpoint. `ep_default` is your `event_url`.",
  "PartnerEvent.endpoint_id":
    "Id of the endpoint that receives the event. Null when no endpoint received its type. Resending the event then sends it to the endpoints that do now.",
  "EventWithAttempts.endpoint_id":
    "Id of the endpoint that receives the event. Null when no endpoint received its type. Resending the event then sends it to the endpoints that do now.",
  url: "Address of the receiver: `https`, on a public host.",
  event_types: `Types of events that the endpoint receives. Default: \`${IMPORT_COMPLETED}\`.`,
  include_history:
    "`true`: the endpoint also receives `file.imported`, `file.failed` and `activity.updated` for the files of a history. `false`: only for live rides; an import is announced as a whole.",
  on_hold: `\`true\`: events wait, for up to ${inWords(EVENTS_HELD_FOR_MS)}.`,
  "Endpoint.state":
    "`unverified`: the receiver has not returned a challenge, and its events are held. `active`. `failing`: no attempt succeeded since `failing_since`. " +
    `\`disabled\`: all attempts failed for ${inWords(ENDPOINT_FAILS_FOR_MS)}, and events are not sent until you recover the endpoint.`,
  "CreatedEndpoint.state": "`unverified` until the receiver has returned the challenge.",
  "Endpoint.reason": "Why the endpoint is not `active`. Null when it is.",
  "DeletedEndpoint.status": "Always `deleted`.",
  "Endpoint.days": `Attempts to deliver events, by day of the last ${ENDPOINT_DAYS} days (UTC). Days without attempts are omitted.`,
  "CreatedEndpoint.days": "Empty: no event was sent yet.",
  "CreatedEndpoint.reason": "Why the endpoint receives no events yet.",
  "EndpointDay.day": "The day, in UTC.",
  "EndpointDay.delivered": "Number of attempts to which the receiver responded with 2xx.",
  "EndpointDay.failed": "Number of other attempts.",
  verified_at: "When the receiver returned a challenge. Null when it has not.",
  failing_since: "First failed attempt since the last successful one. Null without one.",
  disabled_at: "When the endpoint was disabled. Null when it is not.",
  webhook_secret: "Secret that signs the endpoint's events. It is not shown again.",
  challenge_event_id:
    "Id of the test event with the challenge. Null when you have reached the daily limit of test events.",
  "Recovery.since": "RFC 3339 time. Events that were created earlier are not sent again.",
  overlap_in_hours: `Time for which older secrets stay valid, in hours. Default: ${OVERLAP_HOURS.default}.`,
  "RotatedSecret.endpoint": "The endpoint.",
  "Endpoints.data": "All endpoints, oldest first.",
  next_attempt_at: "Time of the next attempt. Null when no attempt follows.",
  "PartnerEvent.user_id": "Your id of the user. Null for test events, `outcomes.reported` and `user.erased`.",
  "EventWithAttempts.user_id":
    "Your id of the user. Null for test events, `outcomes.reported` and `user.erased`.",
  "EventWithAttempts.attempts": "Attempts to deliver the event, oldest first.",
  "PartnerEvent.status":
    "State of the delivery: `held` while the endpoint is on hold or unverified, `failed` when no attempt follows.",
  "EventWithAttempts.status":
    "State of the delivery: `held` while the endpoint is on hold or unverified, `failed` when no attempt follows.",
  "PartnerEvent.type":
    "Type of the event, such as `bulk_fit_import.completed` or `outcomes.reported`. Open list: types may be added.",
  "EventWithAttempts.type":
    "Type of the event, such as `bulk_fit_import.completed` or `outcomes.reported`. Open list: types may be added.",
  "ImportCompletedEvent.type": "Always `bulk_fit_import.completed`.",
  "TestEvent.type": "Always `test.ping`.",
  "DeliveryAttempt.status": "HTTP status of the receiver's response. Null when there was no response.",
  at: "Time of the step.",
  "DeliveryAttempt.at": "Start of the attempt.",
  milliseconds: "Duration of the attempt, in milliseconds.",
  answer:
    "Beginning of the receiver's response, or the reason for a missing response. Null when neither is known.",
  "TestEventData.challenge":
    "The `challenge` of the request. Return it after you verify the signature. Absent when the request had none.",

  // Users
  last_ping_at: "Time of the newest ping.",
  sources: "The user's files by source.",
  running_import_ids: "Ids of the imports that have not completed.",
  oldest_held_received_at: `Time of the oldest held ping. Null when no file is held. A held file fails after ${inWords(HELD_FOR_MS)}.`,
  "UserWithSources.held": "Number of files that wait for the task.",
  "UserWithSources.capped": `\`true\`: the user has at least ${inDigits(MAX_COUNTED_FILES)} files or ${inDigits(MAX_COUNTED_IMPORTS)} imports. Further ones are not counted.`,
  "DeletedUser.status": "Always `deleting`.",
  "DeletedFile.status": "Always `deleting`.",
  deleted_at: "Time of the removal. The row's id is all that is kept of it.",

  // Keys
  auth_key: "The key. It is not shown again.",
  in_force_at:
    "Time from which every request uses the change. Some requests use it earlier. It may take longer while a store of the service is down.",
  "DeletedKey.status": "Always `deleted`.",
  "NewKey.label": "Your name for the key. Null or absent: no label.",
  "NewKey.scope": "`full`, or `read` for a read-only key. Default: `full`.",
  "NewKey.expires_at": `RFC 3339 time from which the key is rejected, at most ${inWords(KEY_ENDS_WITHIN_MS)} from now. Null or absent: the key does not expire.`,
  "path.key_id": "Id of a key: `key_id` in `GET /api/partner/`.",

  // Usage of days
  "UsageDays.from": "First day of the query (UTC).",
  "UsageDays.to": "Last day of the query (UTC).",
  "UsageDays.data": "One row for each day, oldest first.",
  "UsageDay.day": "The day (UTC), such as `2026-11-25`.",
  "UsageDay.files": "Number of files that were imported, failed or deleted on the day.",
  "UsageDay.stored_bytes":
    "Bytes of originals that were stored on the day. Bytes that were removed later are not subtracted.",
  "UsageDay.requests":
    "Number of requests with a valid key, by their status. Approximate: see “Keys, settings and usage” in the guide.",
  "UsageDay.deliveries": "Number of attempts to deliver events to your endpoints, by their result.",
  "FilesOfDay.imported": "Number of imported files. A file that is imported again counts again.",
  "FilesOfDay.failed": "Number of files that failed and are not retried.",
  "FilesOfDay.deleted": "Number of deleted files, also those of deleted users.",
  status_2xx: "Number of requests that succeeded.",
  status_4xx: "Number of requests that were rejected with any other 4xx status.",
  status_429: "Number of requests that were rejected with 429.",
  status_5xx: "Number of requests that failed with 500 or 503.",
  "DeliveriesOfDay.delivered": "Number of attempts to which a receiver responded with 2xx.",
  "DeliveriesOfDay.failed": "Number of other attempts.",
  "query.from": `First day (UTC), such as \`2026-11-01\`. A query covers at most ${USAGE_DAYS} days. Default: ${USAGE_DAYS_DEFAULT} days are returned.`,
  "query.to": "Last day (UTC). Default: today.",

  // The partner
  partner_id: "Your partner id.",
  name: "Your name. Null when none is set.",
  keys: "Your valid keys, without the keys themselves.",
  key_id: "Id of the key.",
  label: "Your name for the key. Null when it has none.",
  scope: "`full`, or `read` for a read-only key.",
  self_service_locked:
    "`true`: we have locked your keys, endpoints and settings, so you cannot change them over the API.",
  expires_at: "Time at which the key or secret expires. Null when it does not expire.",
  event_url: "URL that events are sent to. Null when no URL is set: then no event is sent.",
  webhook_secrets: "Your valid webhook secrets, without the secrets themselves.",
  secret_id: "Id of the secret.",
  callback_hosts:
    "Hosts from which files may be downloaded, such as `files.example.com`. Empty: any public host.",
  "PartnerChanges.callback_hosts": `Hosts from which files may be downloaded, at most ${MAX_CALLBACK_HOSTS}. Replaces the list. Empty: any public host.`,
  "PartnerChanges.source_order": `Your sources, the preferred one first, at most ${MAX_ORDERED_SOURCES}. Replaces the list.`,
  source_order:
    "Your sources in the order in which you prefer their recordings, such as `watch` before `phone`. Sources that are not listed come after them.",
  prefetch_held:
    "`true`: the service downloads held files soon after their ping, before the task. `false`: the task downloads them.",
  limits: "Your rate limits.",
  requests_per_minute:
    "Maximum number of reads per minute, and of other requests per minute. Null: no limit.",
  files_per_minute: "Maximum number of pinged and retried files per minute. Null: no limit.",
  quotas:
    "Maximum files and bytes that the service stores for you. When a quota is used up, pings get 403 `quota_exceeded`.",
  usage: "What the service stores for you.",
  stored_bytes: "Size of all stored files, in bytes.",
  "PartnerQuotas.files": "Maximum number of files, of any status. Null: no quota.",
  "PartnerQuotas.stored_bytes": "Maximum size of all stored files, in bytes. Null: no quota.",
  "Usage.files": "Number of files, of any status.",
  removal_bytes: `Size of the records of your deletions, in bytes. Each record is kept for ${inWords(ERASURE_KEPT_FOR_MS)}, so that a delayed request cannot restore what you deleted, and so that lists of changes report it. At ${REMOVAL_BYTES_OF_FILE} bytes for each file of your quota, pings get 403 \`quota_exceeded\`.`,
  "PartnerSettings.status":
    "`suspended`: every request gets 403, nothing is downloaded and no event is sent. Else `active`.",

  // Overview and timeline
  since: `Start of the ${OVERVIEW_DAYS} days that the overview covers.`,
  "Overview.capped": `\`true\`: some rows are not counted. The overview counts at most the newest ${inDigits(MAX_COUNTED.files)} files, ${inDigits(MAX_COUNTED.imports)} imports and ${inDigits(MAX_COUNTED.events)} events.`,
  "Overview.files": "Number of files by status. Counts files that were last pinged in these days.",
  days: "Number of files by status for each day (UTC), oldest day first. A file counts on the day of its newest ping.",
  day: "Day (UTC), such as `2026-11-25`.",
  "Overview.failures": "Number of failed files by error code, highest number first.",
  "Overview.held": "All files that wait for a task, not only those of these days.",
  "Overview.imports": "Imports of these days.",
  "Overview.events": "Events of these days, without test events that have a wrong signature.",
  "Overview.usage": "What the service stores for you, not only from these days.",
  "FailureCount.files": "Number of files.",
  "HeldFiles.files": "Number of files.",
  "OverviewEvents.pending": "Number of events that are not delivered and will be sent.",
  time_to_readable: "Live rides of these days that were imported and not changed since.",
  "TimeToReadable.files": "Number of these rides.",
  median_in_seconds:
    "Median time from the ping until the activities could be read, in seconds. Null without such a ride.",
  "OverviewEvents.delivered": "Number of delivered events.",
  "OverviewEvents.failed": "Number of events for which no attempt follows.",
  "OverviewEvents.without_endpoint":
    "Number of `failed` events that have no endpoint any more: it was deleted, or none wanted their type.",
  retrying: "Number of pending events with at least one failed attempt.",
  running: "Number of running imports.",
  oldest_received_at: "Time of the oldest held ping. Null when no file is held.",
  what: "Kind of step.",
  attempt: "Number of the attempt, from 1. Absent in steps without an attempt.",
  "TimelineEntry.code": "Error code. Present in failed steps.",
  "TimelineEntry.detail": "A sentence about the error, for people. Present in failed steps.",

  // All responses
  next_cursor:
    "Send it as `cursor` to get the next page. Null on the last page. A page with a `next_cursor` may have fewer rows than `limit`, or none.",
  type: "Type.",
  "Problem.type": "URL of the documentation of `code`: `/docs/#problem-<code>`.",
  status: "State.",
  "Problem.status": "HTTP status of the response.",
  title: "Name of the problem, for people. The same for each problem with this code.",
  detail: "A sentence about this case, for people. Its wording may change.",
  code: "Stable code, for programs.",
  request_id: "Id of the request, as in `X-Request-Id`. Include it when you contact us.",
  errors: `Faults of the request, at most ${MAX_FAULTS}. Present in \`validation_failed\`, \`too_many_items\` and \`too_many_users\`.`,
  pointer:
    "Location of the fault: a JSON pointer (RFC 6901) into the body, or `/` and the name of a parameter.",
  "Health.status": "Always `ok`.",
  "Health.jurisdiction":
    "Jurisdiction in which all data is stored: `eu`, `us` or `fedramp`. Null for no jurisdiction.",
  "Health.version": "The running version of the service.",
  "HealthVersion.id": "Id of the deployed version. `local` for a service on a developer's machine.",
  "HealthVersion.tag": "Commit of the code, such as `8f14e45fceea`. Null when it is unknown.",
  "Health.schema": "Versions of the stored formats.",
  "HealthSchema.database":
    "Number of migrations that every database has. Null when a database does not respond.",
  "HealthSchema.collector": "Version of the collectors' tables that the code writes.",

  // Parameters
  "path.file_id": "Id of a file: `file_id` of a ping's response or of a list.",
  "path.activity_id": "Id of an activity: `activity_id` of a list, or one of a file's `activity_ids`.",
  "path.import_id": "Id of an import: `import_id` of a task's response or of a list.",
  "path.id":
    "Id of an event: `id` of a list, or the `webhook-id` of the request to your receiver. It is not the `event_id` of your task.",
  "path.user_id": "Your id of the user, percent-encoded.",
  "query.limit": `Maximum number of rows on the page. The default is ${PAGE_ROWS.default}.`,
  "query.cursor": "`next_cursor` of the previous page. Send it with the same filters.",
  "query.user_id": "Returns only this user's rows.",
  "query.source": "Returns only rows from this source.",
  "query.status": "Returns only rows with this status.",
  "query.error_code":
    "Returns only failed and skipped files with this `error.code`. A page may be short, or empty, although more rows follow: read on until `next_cursor` is null.",
  "query.import_id": "Returns only rows of this import.",
  "query.endpoint_id":
    "Id of an endpoint. A list returns only its events. A test event is sent to it, or without the parameter to the oldest endpoint.",
  "path.endpoint_id": "Id of an endpoint: `endpoint_id` of the list.",
  "query.type": "Returns only events of this type.",
  "query.event_id": "Returns only events with this `event_id`, which is your own id from the task.",
  "query.sport": "Returns only activities of this sport, such as `cycling`.",
  "query.summary_id": "Returns only the file with this id. Requires `user_id` and `source`.",
  "query.name_contains":
    "Returns only rows whose `summary_id` or `activity_name` contains this text. ASCII letters match in both cases. A page may be short, or empty, although more rows follow: read on until `next_cursor` is null.",
  "query.received_after": "RFC 3339 time: returns only files whose newest ping we received then or later.",
  "query.received_before": "RFC 3339 time: returns only files whose newest ping we received earlier.",
  "query.user_id_prefix": "Returns only users whose ids begin with this text. Upper and lower case differ.",
  "query.challenge": "Text that the event contains as `data.challenge`.",
  "query.signature": "`wrong`: signs the event with an unknown secret. A correct receiver rejects it.",
  "query.dry_run":
    "`true`: validates the request and returns the response that it would get, but stores nothing.",
  "query.streams":
    "`true`: returns each activity with its streams in `stream_data` and its beat-to-beat intervals in `rr_intervals`.",
  "query.keys":
    "Streams to return, separated by commas, such as `time_in_seconds,power_in_watts`. By default all streams. Write `\\,` for a comma within the name of a developer field, and `\\\\` for a backslash.",
  "query.resolution":
    "Maximum number of points in each column. The highest and lowest values of each column are kept.",
  "header.Idempotency-Key": `Identifies this request. A repeated request with the same key and body within ${RETENTION_HOURS} hours gets the same response and has no further effect. Error responses are not kept.`,
  "header.Prefer":
    "`handling=lenient` (RFC 7240): accepts the valid items and returns the others as `rejected`.",
  include_deleted: `\`true\`: also returns what was removed in the last ${inWords(ERASURE_KEPT_FOR_MS)}, in the order of changes. Requires \`updated_since\`. Of the filters, only \`user_id\`, and \`source\` together with it, apply to removals.`,
  updated_since:
    "RFC 3339 time, such as `2026-11-25T08:00:00Z`: returns only rows that changed then or later, oldest change first.",
  start_after: "Unix seconds: returns only activities that started then or later.",
  canonical:
    "`true`: returns only activities with `is_canonical: true`, so no duplicates. Pages can be short. Cannot be combined with `updated_since`.",
  start_before: "Unix seconds: returns only activities that started earlier.",
};
