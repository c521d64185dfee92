import { ANSWER_CELLS } from "../fit/index.ts";
import { quantities } from "../fit/quantities.ts";
import { MAX_PINGS, MAX_USERS } from "../pings/ping.ts";
import { MAX_COUNTED } from "../overview/overview.ts";
import { MAX_COUNTED_FILES, MAX_COUNTED_IMPORTS } from "../users/user.ts";

/**
 * Descriptions of fields and parameters. `Schema.field` wins over `field`.
 */
export const FIELDS: Readonly<Record<string, string>> = {
  // What partners name
  file_type: "The kind of file.",
  activity_name: "A title for people; null when there is none.",
  priority: "1: import now, for a ride that has just ended. 0: hold until the bulk task, for a history.",
  user_id: "The partner's own id of the user, echoed byte for byte. Not `.` or `..`.",
  source: "Where the file comes from, in the partner's words: a device line, an app, an account.",
  overwrite_mode:
    "`true`: import the file again although it was imported before. What was stored stays readable until then.",
  start_time_in_seconds: "When it started, in Unix seconds.",
  callback_url: "The `http(s)` URL to download the file from, once; or the file itself in base64.",
  summary_id: "The partner's own name of the file.",
  activity_files: `1 to ${MAX_PINGS.toLocaleString("en")} files of at most ${MAX_USERS} users; a user counts once for each source.`,
  bulk_fit_transfer_complete: "Says that every ping of this transfer has been answered.",
  is_initial_import: "`true`: ask for a training plan when the import completes. `false`: only the files.",
  event_id: "The partner's own id for the event that tells of the completed import; null: no event.",
  expected_summary_ids: "Every file that should be here; which of them never arrived comes back.",

  // Files
  file_id: "Our id of the file: the same for the same user, source and summary_id.",
  accepted: "How many were taken: all that are not `rejected`.",
  attempts: "How often it was tried.",
  import_id: "Our id of the import; null when there is none.",
  error: "Why it failed; null unless it has.",
  http_status: "What the file's host answered last; null when that is not the reason.",
  retryable: "Whether `retry` can work: bytes or URL are still kept.",
  sha256: "Of the bytes as received, in hexadecimal; null before they are.",
  size_in_bytes: "Of the bytes as received; null before they are.",
  warnings: "What was odd, and did not keep the work from being done.",
  activity_ids: "The activities that can be read of it.",
  received_at: "When its newest ping came.",
  updated_at: "When anything about it last changed.",
  created_at: "When it was made.",

  // Imports
  requested_at: "When the task came.",
  completed_at: "When the last of its files had settled; null while it runs.",
  files: "How many files, by what became of them.",
  total: "All of them.",
  pending: "Not settled yet.",
  imported: "Imported and readable.",
  skipped: "Not imported again, because nothing was to be done or a newer ping took its place.",
  failed: "Failed for good.",
  held: "Waiting for the bulk task.",
  queued: "On their way.",
  missing_summary_ids:
    "Those of `expected_summary_ids` of which no ping is known. An import keeps them for 30 days.",
  repeated: "`true`: this task was sent before, and this is the import that it started then.",
  training_plan: "The training plan that was asked for; null when none was.",
  event: "The event about this import; null when none was asked for.",

  // Activities
  activity_id: "`{file_id}.{session_index}`.",
  session_index: "Which session of its file this is, from 0: a triathlon has five.",
  session_count: "How many sessions the file has.",
  sport: "A sport of the FIT profile, such as `cycling`; one that is not known by name is `unknown_n`.",
  sub_sport: "A sub-sport of the FIT profile, such as `road`.",
  ...quantities((_decimals, description) => description),
  utc_offset_in_seconds: "What the clock on the wall showed beyond UTC; null when the file does not tell.",
  training_stress_score: "Training stress score, as the device computed it.",
  intensity_factor: "Intensity factor, as the device computed it.",
  threshold_power_in_watts: "The functional threshold power that the device was set to.",
  training_effect_aerobic: "The device's estimate, 0 to 5.",
  training_effect_anaerobic: "The device's estimate, 0 to 5.",
  pool_length_in_meters: "Length of the pool.",
  number_of_lengths: "Lengths in the pool, rests too.",
  number_of_active_lengths: "Lengths that were swum.",
  start_latitude_in_degrees: "Where it started, WGS 84.",
  start_longitude_in_degrees: "Where it started, WGS 84.",
  derived: "Names of the fields that the file lacks and that were computed from its records.",
  streams: "Keys of the streams that can be read.",
  possible_duplicate_of:
    "An activity of the same user, received earlier in another file, that looks like this one.",
  version: "Higher whenever the activity was replaced by a newer import of its file.",
  laps: "Its laps, in order.",
  lengths: "Lengths in a pool, in order.",
  devices: "Devices and sensors that took part.",
  lap_index: "Which lap, from 0.",
  length_index: "Which length, from 0.",
  trigger: "What ended the lap, in the words of the FIT profile.",
  stroke: "Swim stroke, in the words of the FIT profile.",
  strokes: "How many strokes.",
  device_index: "Which device, by the file's own count.",
  manufacturer: "Who made it, in the words of the FIT profile.",
  product: "What it is.",
  serial_number: "Its serial number.",
  software_version: "Version of its software.",
  downsampled: `\`true\`: rows were left out to meet \`resolution\`, or because the whole would have more than ${ANSWER_CELLS.toLocaleString("en")} numbers.`,
  stream_data: "The streams, as columns of equal length; only with `streams=true`.",
  activities: "The activities, one for each session.",

  // Events
  id: "The `webhook-id`: one for each event, the same on every attempt.",
  timestamp: "When what it tells happened.",
  data: "What it tells.",
  failures: "The failed files; the first 100.",
  more_failures: "`true`: more have failed than are listed. `GET /api/files/` knows them all.",
  attempt_count: "How often it was sent.",
  next_attempt_at: "When it will be sent next; null when it will not.",
  at: "When the attempt began.",
  milliseconds: "How long the attempt took.",
  answer: "First bytes of the receiver's answer, or why there was none.",

  // Users
  last_ping_at: "When the newest ping came.",
  sources: "What is known of the user, by source.",
  running_import_ids: "Imports that are not completed.",
  oldest_held_received_at:
    "Since when the oldest held ping waits for its task; held pings fail after 30 days.",

  // The partner
  partner_id: "The partner's id.",
  name: "The partner's name.",
  key_id: "Names a key.",
  expires_at: "When it stops working; null: not at all.",
  event_url: "Where events are sent; null: nowhere.",
  secret_id: "Names a secret.",
  limits: "Rate limits.",
  quotas: "The most that we keep for the partner. At a quota further pings get 403 `quota_exceeded`.",
  usage: "What we keep of the partner's files.",
  stored_bytes: "Bytes of stored files.",
  "PartnerSettings.usage":
    "What we keep of the partner's files, as pings are judged by it: some minutes old, and exact to 1 %.",
  "PartnerQuotas.files": "The most files, whatever their status; null: no quota.",
  "PartnerQuotas.stored_bytes": "The most bytes of stored files; null: no quota.",
  "Usage.files": "Files, whatever their status.",
  "Overview.usage": "What we keep of the partner's files, of all days.",
  requests_per_minute: "Requests a minute; null: no limit.",
  files_per_minute: "Files a minute; null: no limit.",
  callback_hosts: "Hosts that callback URLs may name; empty: any public one.",

  // Where the same word means something else
  "AcceptedPing.status": "`queued`: on its way. `held`: waits for the task. `duplicate`: nothing new to do.",
  "AcceptedPings.files": "What became of each ping, in the request's order.",
  "ActivityFile.status": "Of the newest version: `held`, `queued`, `imported` or `failed`.",
  "ActivityFile.warnings": "What was odd about the file, and did not keep it from being imported.",
  "Task.bulk_fit_transfer_complete":
    "Says that every ping of this transfer has been answered; always `true`.",
  "ImportAnswer.status": "`running` until each of its files has settled; it completes exactly once.",
  "TrainingPlan.status": "Whether the planner has been asked, has taken it, or could not be reached.",
  "ImportEvent.attempts": "How often it was sent.",
  "EventWithAttempts.attempts": "Every attempt to deliver it, in order.",
  "DeliveryAttempt.status": "What the receiver answered; null when there was no answer.",
  "PartnerEvent.status":
    "`pending`: not taken yet. `delivered`: answered with 2xx. `failed`: no more attempts are made.",
  "PartnerEvent.type": "What the event tells: `bulk_fit_import.completed` or `test.ping`.",
  "Length.type": "`active` when it was swum, `idle` when it was a rest.",
  "Problem.type": "Where its code is explained: `/docs/#problem-<code>`.",
  "Problem.status": "The status of the answer.",
  "UserSource.activities": "How many activities can be read.",
  "UserWithSources.held": "How many files wait for the task.",
  "PartnerSettings.keys": "The keys that are live, without these themselves.",
  "PartnerSettings.webhook_secrets": "The secrets that are live, without these themselves.",
  "PartnerSettings.status":
    "`active`, or `suspended`: then every request is answered with 403, nothing is downloaded, and no event is sent.",

  "query.summary_id": "Only the file of this name, with its `user_id` and `source`.",
  "query.challenge": "Comes back to the receiver as `data.challenge`.",
  "query.signature": "`wrong`: signed with a secret that nobody has. A receiver must refuse it.",
  "TestEventData.challenge":
    "What the request asked for: to be answered by a receiver that has verified the event.",

  // Overview and timeline
  since: "Where the 14 days begin.",
  "Overview.capped": `\`true\`: more than one look counts. Of files only the newest ${MAX_COUNTED.files.toLocaleString("en")} are counted, of imports and events the newest ${MAX_COUNTED.imports.toLocaleString("en")} each.`,
  "UserWithSources.capped": `\`true\`: the user has ${MAX_COUNTED_FILES.toLocaleString("en")} files or more, or ${MAX_COUNTED_IMPORTS.toLocaleString("en")} imports or more. Only so many are counted.`,
  days: "By day (UTC) of the newest ping, oldest day first.",
  day: "A day, UTC.",
  "Overview.failures": "Failed files by code, most first.",
  "Overview.held":
    "Files that wait for a task, of all the 30 days that they may, and since when the oldest does.",
  "Overview.files": "Files of these days, by status.",
  "FailureCount.files": "How many files.",
  "HeldFiles.files": "How many files.",
  "Overview.imports": "Imports of these days.",
  "Overview.events": "Events of these days.",
  "OverviewEvents.pending": "Not taken yet.",
  "OverviewEvents.failed": "No more attempts are made.",
  retrying: "Of those not taken yet, how many were tried and refused.",
  running: "How many are running.",
  oldest_received_at: "When the oldest of them came; null when there is none.",
  what: "What happened.",
  attempt: "In which attempt, from 1.",

  // Everywhere
  next_cursor:
    "For `cursor`, to get the next page; null on the last one. A page with a `next_cursor` may have fewer rows than `limit`, or none: few of the rows that it looked at match the filters.",
  type: "What kind it is.",
  status: "How it stands.",
  title: "The problem in a few words; the same for every problem of this code.",
  detail: "A sentence about this very case.",
  code: "Stable: what programs decide by.",
  request_id: "The answer's `X-Request-Id`; name it when you ask us.",
  errors: "Everything that is wrong with the request; the first 100 things.",
  pointer: "Where: a JSON pointer (RFC 6901) into the body, or `/` and a parameter's name.",

  // Parameters
  "path.event_id": "The `id` of an event.",
  "query.user_id": "Only this user's.",
  "query.source": "Only from this source.",
  "query.status": "Only those that stand so.",
  "query.import_id": "Only of this import.",
  "query.sport": "Only of this sport.",
  updated_since:
    "An RFC 3339 instant: only what changed then or later, in the order of the changes. For polling; nothing is missed.",
  start_after: "Unix seconds: started at or after.",
  start_before: "Unix seconds: started before.",
};
