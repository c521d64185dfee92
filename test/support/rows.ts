import { env } from "cloudflare:workers";
import type { ActivityDetails } from "../../src/activities/activity.ts";
import { parseLoadLine } from "../../src/activities/storedLoad.pure.ts";
import { storedSummary } from "../../src/activities/storedSummary.pure.ts";
import { quantities } from "../../src/fit/quantities.ts";
import { summaryFields } from "../../src/fit/summaryFields.ts";
import type { DecodedActivity } from "../../src/fit/types.ts";
import { countsOf } from "../../src/imports/counts.pure.ts";
import { COLLECTOR_LENGTH, fileId, newBatchId, newImportId, ROUTE_LENGTH } from "../../src/identifiers.ts";
import { rideFile } from "./rideFile.ts";
import { databaseOf } from "./databases.ts";

type Value = string | number | null;

async function insert(table: string, row: Record<string, Value> & { partner_id: string }): Promise<void> {
  const columns = Object.keys(row);
  await databaseOf(row)
    .prepare(`INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`)
    .bind(...Object.values(row))
    .run();
}

/** A valid id that names no file and no import. */
export const UNKNOWN_ID = "0".repeat(42);

export const NOON = Date.parse("2026-06-01T12:00:00.000Z");

export interface Names {
  partnerId: string;
  userId: string;
  source: string;
  summaryId: string;
}

/** Inserts the batch that lists a single file. Returns its id. */
async function seedBatch(partner_id: string, file_id: string, times: Record<string, Value>): Promise<string> {
  const batch_id = newBatchId();
  const file_ids = JSON.stringify([file_id.slice(COLLECTOR_LENGTH)]);
  const user_route = file_id.slice(0, ROUTE_LENGTH);
  await insert("file_batches", {
    partner_id,
    user_route,
    first_file_id: file_id,
    batch_id,
    file_ids,
    ...times,
  });
  return batch_id;
}

/** Inserts a file into the read model, imported by default. Returns its id. */
export async function seedFile(names: Names, columns: Record<string, Value> = {}): Promise<string> {
  const file_id = fileId(names);
  const { received_at = NOON, updated_at = NOON } = columns;
  const batch = await seedBatch(names.partnerId, file_id, { received_at, updated_at });
  await insert("files", {
    received_batch: batch,
    updated_batch: batch,
    partner_id: names.partnerId,
    file_id,
    user_id: names.userId,
    source: names.source,
    summary_id: names.summaryId,
    activity_name: "Lunch ride",
    priority: 1,
    overwrite_mode: 0,
    start_time_in_seconds: "1760000000",
    status: "imported",
    attempts: 1,
    version: NOON,
    revision: NOON * 1000,
    received_at: NOON,
    updated_at: NOON,
    ...columns,
  });
  return file_id;
}

/** A summary with defaults, for tests to change. */
export const BARE_SUMMARY: Omit<DecodedActivity, keyof ActivityDetails> = {
  session_index: 0,
  session_count: 1,
  sport: "cycling",
  sub_sport: null,
  start_time_in_seconds: 1_760_000_000,
  ...summaryFields<number | null, string | null, boolean, null>(
    () => null,
    () => null,
    () => false,
    () => null,
  ),
  local_date: null,
  training_load: { value: 43.8, basis: "duration", coverage: null },
  ...parseLoadLine(undefined, null),
  ...quantities<number | null>(() => null),
  elapsed_time_in_seconds: 3600,
  timer_time_in_seconds: 3500,
  distance_in_meters: 30_000,
  average_heart_rate_in_beats_per_minute: 140,
  derived: [],
  streams: ["time_in_seconds"],
};

/**
 * Inserts an activity, and its file with a ride's bytes if that is missing. Returns the activity's id. `updated_at` is a
 * column of the file, the others are columns of the activity.
 */
export async function seedActivity(
  names: Names,
  summary: Partial<typeof BARE_SUMMARY> = {},
  columns: Record<string, Value> = {},
): Promise<string> {
  const file_id = fileId(names);
  const whole = { ...BARE_SUMMARY, ...summary };
  const { updated_at = NOON, ...own } = columns;
  const updated_batch = await seedBatch(names.partnerId, file_id, { updated_at });
  const object_key = `${names.partnerId}/${file_id}`;
  await env.FILES.put(object_key, rideFile());
  await databaseOf(names)
    .prepare(
      `INSERT INTO files (partner_id, file_id, user_id, source, summary_id, priority, overwrite_mode, start_time_in_seconds,
       status, version, revision, received_at, updated_at, updated_batch, activity_count, stored_version, readable_name,
       object_key)
     VALUES (?1, ?2, ?3, ?4, ?5, 1, 0, '1760000000', 'imported', ?6, ?6, ?6, ?7, ?8, ?9, ?6, 'Lunch ride', ?10)
     ON CONFLICT (partner_id, file_id) DO UPDATE SET updated_at = excluded.updated_at,
       updated_batch = excluded.updated_batch, activity_count = max(activity_count, excluded.activity_count),
       readable_name = excluded.readable_name`,
    )
    .bind(
      names.partnerId,
      file_id,
      names.userId,
      names.source,
      names.summaryId,
      NOON,
      updated_at,
      updated_batch,
      whole.session_index + 1,
      object_key,
    )
    .run();
  await insert("activities", {
    partner_id: names.partnerId,
    file_id,
    session_index: whole.session_index,
    version: NOON,
    sport: whole.sport,
    start_time_in_seconds: whole.start_time_in_seconds,
    summary: storedSummary(whole),
    created_at: NOON,
    ...own,
  });
  return `${file_id}.${whole.session_index}`;
}

/** Inserts an import into the read model, completed by default. Returns its id. */
export async function seedImport(
  names: Omit<Names, "summaryId">,
  columns: Record<string, Value> = {},
): Promise<string> {
  const import_id = newImportId(names.partnerId, names.userId, names.source);
  await insert("imports", {
    partner_id: names.partnerId,
    import_id,
    user_id: names.userId,
    source: names.source,
    is_initial_import: 0,
    event_id: null,
    status: "completed",
    ...countsOf({ total: 1, imported: 1 }),
    after_version: 0,
    through_version: 0,
    revision: 1,
    requested_at: NOON,
    updated_at: NOON,
    completed_at: NOON,
    ...columns,
  });
  return import_id;
}

/** Inserts one slice of an import's list of missing files. */
export async function seedMissing(
  partner_id: string,
  import_id: string,
  summaryIds: string[],
): Promise<void> {
  await insert("import_missing", {
    partner_id,
    import_id,
    slice: 0,
    summary_ids: JSON.stringify(summaryIds),
    created_at: NOON,
  });
}

/** Inserts a delivery, an event by default. Returns its id. */
export async function seedDelivery(
  partnerId: string,
  delivery_id: string,
  columns: Record<string, Value> = {},
): Promise<string> {
  await insert("deliveries", {
    partner_id: partnerId,
    delivery_id,
    kind: "event",
    type: "bulk_fit_import.completed",
    body: JSON.stringify({
      type: "bulk_fit_import.completed",
      timestamp: "2026-06-01T12:00:00.000Z",
      data: { event_id: "e-1" },
    }),
    status: "pending",
    created_at: NOON,
    updated_at: NOON,
    ...columns,
  });
  return delivery_id;
}

export async function seedUser(partnerId: string, user_id: string): Promise<void> {
  await insert("users", { partner_id: partnerId, user_id, last_ping_at: NOON, created_at: NOON });
}
