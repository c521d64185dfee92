import { recordingOf, type RecordingRow } from "../activities/duplicates/read.ts";
import { OF_FILE, RECORDING_COLUMNS, SHORT_SUMMARY_VALUES } from "../activities/sql.ts";
import { parseSummary } from "../activities/storedSummary.pure.ts";
import { editsOfActivity, parseEdits } from "../files/edits.pure.ts";
import { activityId, rangeEnd, userRoute } from "../identifiers.ts";
import { requestMemory } from "../memory/budget.ts";
import { BASELINE_ACTIVITIES, SEARCHED_ACTIVITIES, type Baseline } from "./baseline.ts";
import { baselineOf, type TrainingRow } from "./baselineOf.pure.ts";
import { dateOf } from "../contract/days.ts";
import { dayOf } from "./days.pure.ts";

/** Memory for a row and what is computed from it. */
const BYTES_PER_ACTIVITY = 2_000;

interface StoredRow extends Omit<RecordingRow, "start_time_in_seconds"> {
  start_time_in_seconds: number | null;
  summary: string;
}

/** The fields of a partner that its baselines depend on. */
interface BaselineReader {
  partner_id: string;
  source_order: readonly string[];
}

/**
 * Returns the training baseline of a user, and the number of rows that the database read. Null for an unknown or erased
 * user. Throws a `MemoryShortage`.
 */
export async function readBaseline(
  database: D1Database,
  { partner_id, source_order }: BaselineReader,
  userId: string,
  nowMs: number,
): Promise<{ baseline: Baseline | null; rowsRead: number }> {
  const route = userRoute(partner_id, userId);
  const range = [partner_id, route, rangeEnd(route)] as const;
  const known = await database
    .prepare(
      `SELECT (SELECT count(*) FROM (SELECT 1 FROM activities a
         WHERE a.partner_id = ?1 AND a.file_id >= ?2 AND a.file_id < ?3 LIMIT ${SEARCHED_ACTIVITIES + 1})) AS activities
       FROM users WHERE partner_id = ?1 AND user_id = ?4`,
    )
    .bind(...range, userId)
    .all<{ activities: number }>();
  const [user] = known.results;
  if (user === undefined) return { baseline: null, rowsRead: known.meta.rows_read };
  const hold = requestMemory(partner_id);
  try {
    hold.add(Math.min(user.activities, BASELINE_ACTIVITIES) * BYTES_PER_ACTIVITY);
    const { results, meta } = await rowsOf(database, range, userId, nowMs);
    const rows = results.map(trainingRowOf);
    const unread = unreadOf(user.activities, results);
    const baseline = baselineOf(rows, { user_id: userId, nowMs, source_order, unread });
    return { baseline, rowsRead: known.meta.rows_read + meta.rows_read };
  } finally {
    hold.release();
  }
}

/** Reads the newest activities. Activities with a start in the future, or without one, count as the oldest. */
async function rowsOf(
  database: D1Database,
  range: readonly [string, string, string],
  userId: string,
  nowMs: number,
): Promise<D1Result<StoredRow>> {
  return database
    .prepare(
      `SELECT ${RECORDING_COLUMNS}, ${SHORT_SUMMARY_VALUES} AS summary FROM (
         SELECT n.file_id, n.session_index FROM (
           SELECT a.file_id, a.session_index, a.start_time_in_seconds AS start FROM activities a
           WHERE a.partner_id = ?1 AND a.file_id >= ?2 AND a.file_id < ?3 LIMIT ${SEARCHED_ACTIVITIES}) n
         ORDER BY n.start <= ?5 DESC, n.start DESC LIMIT ${BASELINE_ACTIVITIES}) w
       CROSS JOIN activities a CROSS JOIN files f ON ${OF_FILE}
       WHERE a.partner_id = ?1 AND a.file_id = w.file_id AND a.session_index = w.session_index AND f.user_id = ?4`,
    )
    .bind(...range, userId, nowMs / 1_000)
    .all<StoredRow>();
}

function trainingRowOf({ start_time_in_seconds: start, ...row }: StoredRow): TrainingRow {
  const summary = parseSummary(row.summary);
  const { exclude_from_training } = editsOfActivity(parseEdits(row.edits), row.session_index);
  return {
    activity_id: activityId(row.file_id, row.session_index),
    recording: start === null ? null : recordingOf({ ...row, start_time_in_seconds: start }, summary),
    is_excluded: exclude_from_training === true,
    sport: row.sport,
    utc_offset_in_seconds: summary.utc_offset_in_seconds,
    timer_time_in_seconds: summary.timer_time_in_seconds,
    elapsed_time_in_seconds: summary.elapsed_time_in_seconds,
    distance_in_meters: summary.distance_in_meters,
    normalized_power_in_watts: summary.normalized_power_in_watts,
    training_stress_score: summary.training_stress_score,
    training_load_peak: summary.training_load_peak,
    best_efforts: summary.best_efforts,
    load_evidence: summary.load_evidence,
  };
}

/** Returns how many activities were not read, and the date in UTC of the oldest one that was. */
function unreadOf(
  activities: number,
  read: readonly StoredRow[],
): Parameters<typeof baselineOf>[1]["unread"] {
  const too_many = Math.max(0, Math.min(activities, SEARCHED_ACTIVITIES) - BASELINE_ACTIVITIES);
  const starts = read.flatMap(({ start_time_in_seconds: start }) => start ?? []);
  const oldest = starts.reduce((first, start) => Math.min(first, start), Infinity);
  return {
    too_many,
    too_many_before: too_many === 0 || oldest === Infinity ? null : dateOf(dayOf(oldest, 0)),
    more: activities > SEARCHED_ACTIVITIES,
  };
}
