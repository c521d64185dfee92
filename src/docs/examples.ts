import { NO_DETAILS, type Activity, type ActivityDetails } from "../activities/activity.ts";
import type { Baseline } from "../training/baseline.ts";
import type {
  ImportCancelledEvent,
  ImportCompletedEvent,
  TestEvent,
  UserErasedEvent,
} from "../deliveries/bodies.pure.ts";
import type { Event, EventWithAttempts } from "../deliveries/event.ts";
import type { Endpoint } from "../endpoints/endpoint.ts";
import { deliveryIdOfEvent } from "../deliveries/ids.ts";
import type { File } from "../files/file.ts";
import { pingFieldsOf } from "../files/pingFields.pure.ts";
import type { Timeline } from "../files/timeline.ts";
import { quantities, type Quantities } from "../fit/quantities.ts";
import { summaryFields } from "../fit/summaryFields.ts";
import type { RrIntervals } from "../fit/types.ts";
import { countsOf, importFilesOf } from "../imports/counts.pure.ts";
import type { Import, ImportAnswer } from "../imports/import.ts";
import type { Task } from "../imports/task.ts";
import type { ReportEnd, ReportFile } from "../imports/report/lines.ts";
import type { OutcomesEvent } from "../outcomes/event.ts";
import type { Overview } from "../overview/overview.ts";
import { DEFAULT_LIMITS, DEFAULT_QUOTAS } from "../partners/partner.ts";
import type { PartnerWithUsage } from "../partners/settings.ts";
import type { Ping } from "../pings/ping.ts";
import { SMALL_RIDE, SMALL_RIDE_START } from "./smallRide.ts";
import type { User, UserWithSources } from "../users/user.ts";

/** Common prefix of the ids of one user's files and imports from one source. */
const ID_PREFIX = "3k9x2v7q7f8m2c4tq0w9";
const FILE_ID = `${ID_PREFIX}z5n1r6x3b8d2hjx1c5g8k2`;
const HELD_FILE_ID = `${ID_PREFIX}n4q7s0v3y6b9d2f5hm3c7e`;
const IMPORT_ID = `${ID_PREFIX}p4r8t2w6y0a3c7e1g5j9m2`;
const EVENT_ID = deliveryIdOfEvent(IMPORT_ID);

const ENDPOINT_ID = "ep_4m7x0q2kd9t5w8rz1c3e6g";

const names = { user_id: "rider-1", source: "head-unit" };
const liveName = { ...names, summary_id: "ride-1" };
const heldName = { ...names, summary_id: "history-0001" };

const livePing: Ping = {
  file_type: "FIT",
  activity_name: "Morning ride",
  priority: 1,
  user_id: names.user_id,
  source: names.source,
  overwrite_mode: false,
  start_time_in_seconds: SMALL_RIDE_START,
  callback_url: SMALL_RIDE,
  summary_id: liveName.summary_id,
  sequence_number: 1,
};
const heldPing: Ping = {
  ...livePing,
  activity_name: null,
  priority: 0,
  callback_url: "https://files.partner.example/history-0001.fit?signature=c2lnbmF0dXJl",
  summary_id: heldName.summary_id,
};
const task: Task = {
  bulk_fit_transfer_complete: true,
  ...names,
  is_initial_import: true,
  event_id: "history-of-rider-1",
  expected_summary_ids: [heldName.summary_id, "history-0002"],
};

const ENDPOINT_URL = "https://hooks.partner.example/rides";

/** Examples of request bodies by operation. The service accepts each of them. */
export const REQUEST_EXAMPLES = {
  postPings: {
    url: { summary: "A file of a history, to be downloaded", value: { activity_files: [heldPing] } },
    inline: { summary: "A live ride, in base64", value: { activity_files: [livePing] } },
  },
  postTask: { task: { summary: "A complete history", value: task } },
  createEndpoint: {
    rides: {
      summary: "A receiver of live rides",
      value: { url: ENDPOINT_URL, event_types: ["file.imported", "file.failed"] },
    },
  },
  changeEndpoint: { hold: { summary: "Stop events for a while", value: { on_hold: true } } },
  recoverEndpoint: { day: { summary: "Events of a day", value: { since: "2026-11-25T00:00:00Z" } } },
  rotateEndpointSecret: { rotation: { summary: "A day for the change", value: { overlap_in_hours: 24 } } },
  createKey: {
    rotation: { summary: "A key that replaces an older one", value: { label: "server 2027" } },
    read: {
      summary: "A read-only key that expires",
      value: { label: "dashboard", scope: "read", expires_at: "2030-01-01T00:00:00Z" },
    },
  },
  patchPartner: {
    hosts: { summary: "Only one host", value: { callback_hosts: ["files.partner.example"] } },
    sources: { summary: "Prefer the head unit", value: { source_order: ["head-unit", "watch"] } },
  },
  patchFile: { name: { summary: "A new name", value: { activity_name: "Sunday ride" } } },
  patchActivity: {
    sport: { summary: "Another sport", value: { sport: "running", sub_sport: "trail" } },
    exclude: { summary: "Excluded from training", value: { exclude_from_training: true } },
    undo: { summary: "Undo an edit", value: { sport: null } },
  },
} as const;

const counts = countsOf({ total: 1 });
const importAnswer: ImportAnswer = {
  import_id: IMPORT_ID,
  ...names,
  is_initial_import: true,
  event_id: "history-of-rider-1",
  status: "running",
  files: importFilesOf(counts),
  missing_summary_ids: ["history-0002"],
  repeated: false,
  warnings: [],
};
const completedImport: Import = {
  ...importAnswer,
  status: "completed",
  files: importFilesOf({ ...counts, imported: 1 }),
  requested_at: "2026-11-25T08:00:04.000Z",
  updated_at: "2026-11-25T08:00:10.000Z",
  completed_at: "2026-11-25T08:00:09.000Z",
  training_plan: { status: "delivered" },
  event: { status: "delivered", attempts: 1 },
};

const file: File = {
  file_id: FILE_ID,
  ...liveName,
  ...pingFieldsOf(livePing),
  status: "imported",
  attempts: 1,
  import_id: null,
  error: null,
  last_error: null,
  next_attempt_at: null,
  sha256: "f652031b10218a1cf4b44b8e655023cc41f4363ef04587f42b78c464d46f4f10",
  size_in_bytes: 113,
  warnings: [],
  activity_ids: [`${FILE_ID}.0`],
  edited: [],
  received_at: "2026-11-25T08:00:00.000Z",
  updated_at: "2026-11-25T08:00:01.000Z",
};

const timeline: Timeline = {
  data: [
    { at: "2026-11-25T08:00:00.000Z", what: "pinged" },
    { at: "2026-11-25T08:00:00.000Z", what: "dispatched" },
    {
      at: "2026-11-25T08:00:01.000Z",
      what: "attempt_failed",
      attempt: 1,
      code: "callback_http_error",
      detail: "The host responded with status 503.",
    },
    { at: "2026-11-25T08:00:31.000Z", what: "imported", attempt: 2 },
  ],
};

const byStatus = { held: 1, queued: 0, imported: 41, failed: 2, skipped: 0 };
const overview: Overview = {
  since: "2026-11-12T00:00:00.000Z",
  capped: false,
  files: byStatus,
  days: [{ day: "2026-11-25", ...byStatus }],
  failures: [{ code: "callback_gone", files: 2 }],
  held: { files: 1, oldest_received_at: "2026-11-25T08:00:00.000Z" },
  usage: { files: 44, stored_bytes: 4_400_000, removal_bytes: 1_100 },
  time_to_readable: { files: 38, median_in_seconds: 0.9 },
  imports: { running: 1 },
  events: { pending: 0, retrying: 0, delivered: 12, failed: 1, without_endpoint: 1 },
};

const rideQuantities: Quantities = {
  ...quantities(() => null),
  elapsed_time_in_seconds: 1800,
  timer_time_in_seconds: 1800,
  moving_time_in_seconds: 1800,
  distance_in_meters: 12500,
  average_speed_in_meters_per_second: 6.944,
  average_heart_rate_in_beats_per_minute: 120,
  max_heart_rate_in_beats_per_minute: 140,
};
const summary = {
  session_index: 0,
  session_count: 1,
  sport: "cycling",
  sub_sport: null,
  start_time_in_seconds: 1631065600,
  ...rideQuantities,
  ...summaryFields(
    () => null,
    () => null,
    () => false,
    () => null,
  ),
  local_date: null,
  training_load: { value: 22.5, basis: "duration" as const, coverage: null },
  best_efforts: {
    durations_in_seconds: [5, 30, 60, 300, 600, 1200, 3600],
    power_in_watts: null,
    heart_rate_in_beats_per_minute: [120, null, null, null, null, null, null],
    speed_in_meters_per_second: null,
  },
  recorded_with: "Garmin",
  number_of_laps: 0,
  derived: [
    "moving_time_in_seconds",
    "average_speed_in_meters_per_second",
    "average_heart_rate_in_beats_per_minute",
    "max_heart_rate_in_beats_per_minute",
  ],
  streams: ["time_in_seconds", "distance_in_meters", "heart_rate_in_beats_per_minute"],
};
const activity: Activity = {
  activity_id: `${FILE_ID}.0`,
  file_id: FILE_ID,
  ...liveName,
  activity_name: "Morning ride",
  ...summary,
  exclude_from_training: false,
  edited: [],
  duplicate_group: null,
  is_canonical: true,
  possible_duplicate_of: null,
  version: 1795593600000,
  created_at: "2026-11-25T08:00:01.000Z",
  updated_at: "2026-11-25T08:00:01.000Z",
};
const parts: ActivityDetails = {
  ...NO_DETAILS,
  devices: [
    {
      device_index: 0,
      device_type: null,
      manufacturer: "garmin",
      product: null,
      serial_number: null,
      software_version: null,
      battery_status: null,
      battery_level_in_percent: null,
      battery_voltage_in_volts: null,
    },
  ],
};
/** Details that the small ride does not have. */
export const MORE_DETAILS: Pick<ActivityDetails, "athlete" | "time_in_zones" | "sets" | "developer_fields"> =
  {
    athlete: {
      max_heart_rate_in_beats_per_minute: 187,
      threshold_heart_rate_in_beats_per_minute: 168,
      resting_heart_rate_in_beats_per_minute: 47,
      functional_threshold_power_in_watts: 250,
      weight_in_kilograms: 68.5,
    },
    time_in_zones: {
      heart_rate: {
        calculation: "percent_max_hr",
        time_in_seconds: [12, 310.5, 840, 420, 190, 28, 0],
        upper_bounds_in_beats_per_minute: [93, 112, 131, 149, 168, 187],
      },
      power: null,
      speed: null,
      cadence: null,
    },
    sets: [
      {
        set_index: 0,
        start_time_in_seconds: 1_631_065_600,
        exercise: { category: "bench_press", name: "barbell_bench_press" },
        type: "active",
        repetitions: 10,
        weight_in_kilograms: 40,
        duration_in_seconds: 42.5,
        workout_step_index: null,
      },
    ],
    developer_fields: [{ name: "Total carbs", units: "g", value: 64 }],
  };
const streams = {
  time_in_seconds: [0, 1800],
  distance_in_meters: [0, 12500],
  heart_rate_in_beats_per_minute: [120, 140],
};

const rrIntervals: RrIntervals = {
  source: "hrv",
  coverage: 0.001,
  artefact_share: 0,
  truncated: false,
  time_in_seconds: [0.512, 1.018, 1.521],
  intervals_in_seconds: [0.512, 0.506, 0.503],
};
const noRrIntervals: RrIntervals = {
  source: null,
  coverage: 0,
  artefact_share: null,
  truncated: false,
  time_in_seconds: [],
  intervals_in_seconds: [],
};

const importCompleted: ImportCompletedEvent = {
  type: "bulk_fit_import.completed",
  timestamp: "2026-11-25T08:00:09.000Z",
  data: {
    event_id: "history-of-rider-1",
    import_id: IMPORT_ID,
    ...names,
    is_initial_import: true,
    status: "completed",
    files: { ...counts, imported: 1 },
    warnings: [],
    failures: [],
    more_failures: false,
  },
};
const importCancelled: ImportCancelledEvent = {
  type: "import.cancelled",
  timestamp: "2026-11-25T08:00:09.000Z",
  data: {
    event_id: "history-of-rider-1",
    import_id: IMPORT_ID,
    ...names,
    files: { ...counts, imported: 0, skipped: 1 },
  },
};
const outcomesReported: OutcomesEvent = {
  type: "outcomes.reported",
  timestamp: "2026-11-25T08:00:09.000Z",
  data: {
    endpoint_id: ENDPOINT_ID,
    outcomes: [
      {
        sequence: 1207,
        type: "file.imported",
        file_id: FILE_ID,
        activity_ids: [`${FILE_ID}.0`],
        import_id: null,
        status: "imported",
        error: null,
        updated_at: "2026-11-25T08:00:05.000Z",
        ...liveName,
      },
    ],
  },
};
const userErased: UserErasedEvent = {
  type: "user.erased",
  timestamp: "2026-11-25T08:00:09.000Z",
  data: { user_id: names.user_id, files: 412, activities: 409, imports: 1 },
};
const testEvent: TestEvent = {
  type: "test.ping",
  timestamp: "2026-11-25T08:00:00.000Z",
  data: { challenge: "q9d2k1" },
};
const event: Event = {
  id: EVENT_ID,
  ...importCompleted,
  endpoint_id: "ep_default",
  import_id: IMPORT_ID,
  user_id: names.user_id,
  status: "delivered",
  attempt_count: 1,
  attempts_left: 0,
  next_attempt_at: null,
  created_at: "2026-11-25T08:00:09.000Z",
  updated_at: "2026-11-25T08:00:10.000Z",
};
const eventWithAttempts: EventWithAttempts = {
  ...event,
  attempts: [{ at: "2026-11-25T08:00:10.000Z", status: 204, milliseconds: 84, answer: "" }],
};

const settings: PartnerWithUsage = {
  partner_id: "acme",
  name: "Acme Watches",
  status: "active",
  created_at: "2026-11-01T08:00:00.000Z",
  self_service_locked: false,
  keys: [
    {
      key_id: "key_w9z5n1r6x3",
      label: null,
      scope: "full",
      created_at: "2026-11-01T08:00:00.000Z",
      expires_at: null,
    },
  ],
  event_url: "https://partner.example/events",
  webhook_secrets: [{ secret_id: "b8d2hj7f8m", created_at: "2026-11-01T08:00:00.000Z", expires_at: null }],
  callback_hosts: ["files.partner.example"],
  source_order: [],
  prefetch_held: false,
  limits: DEFAULT_LIMITS,
  quotas: DEFAULT_QUOTAS,
  usage: { files: 44, stored_bytes: 4_400_000, removal_bytes: 1_100 },
};

const anEndpoint: Endpoint = {
  endpoint_id: ENDPOINT_ID,
  url: ENDPOINT_URL,
  event_types: ["file.imported", "file.failed"],
  include_history: false,
  on_hold: false,
  state: "active",
  reason: null,
  webhook_secrets: [{ secret_id: "secret_7a1k", created_at: "2026-11-25T08:00:00.000Z", expires_at: null }],
  days: [{ day: "2026-11-25", delivered: 12, failed: 1 }],
  created_at: "2026-11-25T08:00:00.000Z",
  verified_at: "2026-11-25T08:00:01.000Z",
  failing_since: null,
  disabled_at: null,
};
const aSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

const user: User = {
  user_id: names.user_id,
  last_ping_at: "2026-11-25T08:00:00.000Z",
  created_at: "2026-11-25T08:00:00.000Z",
};
const userWithSources: UserWithSources = {
  ...user,
  capped: false,
  sources: [
    {
      source: names.source,
      files: { total: 1, held: 0, queued: 0, imported: 1, failed: 0, skipped: 0 },
      activities: 1,
      last_ping_at: user.last_ping_at,
      oldest_held_received_at: null,
    },
  ],
  running_import_ids: [],
  held: 0,
  oldest_held_received_at: null,
};

/** Shortened: a baseline has more weeks and days. */
const baseline: Baseline = {
  user_id: names.user_id,
  as_of: "2026-11-25",
  activities: 41,
  activities_with_local_date: 41,
  first_date: "2026-01-07",
  last_date: "2026-11-24",
  days_since_last_activity: 1,
  weeks: {
    first_days: ["2026-11-16", "2026-11-23"],
    activities: 41,
    sports: [
      {
        sport: "cycling",
        activities: [3, 1],
        activities_with_duration: [3, 1],
        activities_with_distance: [3, 1],
        duration_in_seconds: [15_840, 5_400],
        distance_in_meters: [112_400, 38_250],
        load: [214.5, 71.2],
      },
    ],
  },
  days: {
    first_day: "2026-11-24",
    activities: [1, 0],
    duration_in_seconds: [5_400, 0],
    load: [71.2, 0],
    fitness: [31.42, 30.68],
    fatigue: [38.9, 33.72],
  },
  averages: [
    {
      days: 7,
      activities: 3,
      activities_with_duration: 3,
      activities_with_distance: 3,
      duration_in_seconds_per_day: 2_211.4,
      distance_in_meters_per_day: 15_607.1,
      load_per_day: 29.9,
    },
  ],
  fitness: { fitness: 30.68, fatigue: 33.72, form: -3.04, activities: 41 },
  load_bases: [{ basis: "power", activities: 41, load: 2_930.4 }],
  heart_rate_bounds: {
    resting: {
      beats_per_minute: 60,
      basis: "assumed",
      local_date: null,
      activity_id: null,
      activities: 0,
    },
    max: {
      beats_per_minute: 187,
      basis: "stated",
      local_date: "2026-11-24",
      activity_id: `${FILE_ID}.0`,
      activities: 40,
    },
  },
  longest_sessions: [
    {
      sport: "cycling",
      activity_id: `${FILE_ID}.0`,
      local_date: "2026-07-11",
      duration_in_seconds: 14_400,
      distance_in_meters: 102_300,
      activities: 41,
    },
  ],
  best_efforts: [
    {
      sport: "cycling",
      quantity: "power_in_watts",
      duration_in_seconds: 1_200,
      value: 262,
      local_date: "2026-10-14",
      activity_id: `${FILE_ID}.0`,
      activities: 14,
    },
  ],
  thresholds: {
    stated: [
      {
        kind: "functional_threshold_power_in_watts",
        value: 250,
        first_date: "2026-01-07",
        last_date: "2026-11-24",
        activities: 40,
      },
    ],
    best_efforts: [],
  },
  gaps: [{ after: "2026-03-02", before: "2026-03-20", days: 18 }],
  left_out: {
    duplicates: 12,
    excluded: 1,
    without_start: 0,
    in_future: 0,
    too_many: 0,
    too_many_before: null,
    more: false,
  },
};

const reportLines: [ReportFile, ReportEnd] = [
  {
    type: "file",
    file_id: HELD_FILE_ID,
    summary_id: heldName.summary_id,
    status: "imported",
    error_code: null,
    start_time_in_seconds: Number(SMALL_RIDE_START),
    sport: "cycling",
    distance_in_meters: 12500,
  },
  {
    type: "end",
    import_id: IMPORT_ID,
    status: "completed",
    files: completedImport.files,
    first_start_time_in_seconds: Number(SMALL_RIDE_START),
    last_start_time_in_seconds: Number(SMALL_RIDE_START),
    longest_gap: null,
    missing_summary_ids: ["history-0002"],
  },
];
/** A report as the service sends it: JSON lines. */
export const REPORT_EXAMPLE = reportLines.map((line) => JSON.stringify(line)).join("\n");

const page = (row: unknown) => ({ data: [row], next_cursor: null });

/** Examples of responses and events by the name of their schema. */
export const SCHEMA_EXAMPLES = new Map<string, unknown>(
  Object.entries({
    AcceptedPings: { accepted: 1, files: [{ file_id: FILE_ID, ...liveName, status: "queued" }] },
    ImportAnswer: importAnswer,
    Import: completedImport,
    RetriedImport: { ...completedImport, retried_files: 2, retried_at: "2026-11-25T09:00:00.000Z" },
    ImportPage: page(completedImport),
    ActivityFile: file,
    FilePage: page(file),
    Timeline: timeline,
    Overview: overview,
    Activity: activity,
    ActivityPage: page(activity),
    ActivityWithParts: { ...activity, ...parts },
    TrainingBaseline: baseline,
    PendingActivityEdit: {
      activity_id: `${HELD_FILE_ID}.0`,
      file_id: HELD_FILE_ID,
      sport: "running",
      sub_sport: null,
      exclude_from_training: null,
    },
    Streams: { downsampled: false, ...streams },
    RrIntervals: rrIntervals,
    Inspection: {
      warnings: [],
      activities: [{ ...summary, ...parts, stream_data: streams, rr_intervals: noRrIntervals }],
    },
    PartnerEvent: event,
    EventPage: page(event),
    EventWithAttempts: eventWithAttempts,
    ImportCompletedEvent: importCompleted,
    Endpoint: anEndpoint,
    Endpoints: { data: [anEndpoint] },
    CreatedEndpoint: {
      ...anEndpoint,
      state: "unverified",
      reason: "The receiver has not returned the challenge of a test event yet.",
      days: [],
      verified_at: null,
      webhook_secret: aSecret,
      challenge_event_id: "evt_0c5w7m3x9t1r8k4qf2h6vdz0a7",
    },
    DeletedEndpoint: { endpoint_id: anEndpoint.endpoint_id, status: "deleted" },
    RotatedSecret: { secret_id: "secret_7a1k", webhook_secret: aSecret, endpoint: anEndpoint },
    ImportCancelledEvent: importCancelled,
    OutcomesEvent: outcomesReported,
    UserErasedEvent: userErased,
    TestEvent: testEvent,
    User: user,
    UserPage: page(user),
    UserWithSources: userWithSources,
    DeletedFile: { file_id: file.file_id, status: "deleting" },
    RemovedFile: { file_id: file.file_id, deleted_at: "2026-11-25T09:00:00.000Z" },
    RemovedActivity: { activity_id: activity.activity_id, deleted_at: "2026-11-25T09:00:00.000Z" },
    DeletedUser: { user_id: names.user_id, status: "deleting" },
    PartnerSettings: settings,
    ChangedPartner: { ...settings, in_force_at: "2026-11-25T08:01:30.000Z" },
    UsageDays: {
      from: "2026-11-25",
      to: "2026-11-25",
      data: [
        {
          day: "2026-11-25",
          files: { imported: 44, failed: 1, deleted: 0 },
          stored_bytes: 4_400_000,
          requests: { status_2xx: 61, status_4xx: 2, status_429: 0, status_5xx: 0 },
          deliveries: { delivered: 3, failed: 1 },
        },
      ],
    },
    CreatedKey: {
      key_id: "key_4m7x0q2kd9",
      label: "dashboard",
      scope: "read",
      created_at: "2026-11-25T08:00:00.000Z",
      expires_at: "2030-01-01T00:00:00.000Z",
      auth_key: "aep_examplekeyexamplekeyexamplekeyexamplekeyexa",
      in_force_at: "2026-11-25T08:01:30.000Z",
    },
    DeletedKey: {
      key_id: "key_w9z5n1r6x3",
      status: "deleted",
      in_force_at: "2026-11-25T08:01:30.000Z",
    },
    Health: {
      status: "ok",
      jurisdiction: null,
      version: { id: "5c9f1c2e-3f0b-4b6f-9a51-0d3f6c1b7a42", tag: "8f14e45fceea" },
      schema: { database: 1, collector: 1 },
    },
  }),
);
