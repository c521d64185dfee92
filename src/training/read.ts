import { recordingOf, type RecordingRow } from "../activities/duplicates/read.ts";
import { OF_FILE, RECORDING_COLUMNS, SHORT_SUMMARY_VALUES } from "../activities/sql.ts";
import { parseSummary } from "../activities/storedSummary.pure.ts";
import { editsOfActivity, parseEdits } from "../files/edits.pure.ts";
import { activityId, rangeEnd, userRoute } from "../identifiers.ts";
import { requestMemory, type IntakeHold } from "../memory/budget.ts";
import { BASELINE_ACTIVITIES, SEARCHED_ACTIVITIES, type Baseline } from "./baseline.ts";
import { baselineOf, type TrainingRow } from "./baselineOf.pure.ts";
import { dateOf } from "../contract/days.ts";
import { dayOf } from "./days.pure.ts";

/** Memory for a row and what is computed from it. */
const BYTES_PER_ACTIVITY = 2_000;
/** Users with at most this many activities are read at once. Of others the number is read first, for the memory. */
const FEW_ACTIVITIES = 500;

export interface StoredRow extends Omit<RecordingRow, "start_time_in_seconds"> {
  start_time_in_seconds: number | null;
  summary: string;
}

/** The fields of a partner that its baselines depend on. */
interface BaselineReader {
  partner_id: string;
  source_order: readonly string[];
}

/** A user's rows, and the range of ids in which their files are. */
interface User {
  database: D1Database;
  userId: string;
  range: readonly [partnerId: string, from: string, to: string];
}

/** The newest activities of a user, the number of all, and the number of rows that the database read. */
interface FoundActivities {
  rows: StoredRow[];
  activities: number;
  rowsRead: number;
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
  const user = { database, userId, range: [partner_id, route, rangeEnd(route)] as const };
  const hold = requestMemory(partner_id);
  try {
    hold.add(FEW_ACTIVITIES * BYTES_PER_ACTIVITY);
    const few = await readFew(user);
    if (few === null) return { baseline: null, rowsRead: 1 };
    const { rows, activities, rowsRead } =
      few.activities > FEW_ACTIVITIES ? await readMany(user, few, hold, nowMs) : few;
    const unread = unreadOf(activities, rows);
    const options = { user_id: userId, nowMs, source_order, unread };
    return { baseline: baselineOf(rows.map(trainingRowOf), options), rowsRead };
  } finally {
    hold.release();
  }
}

/** Reads activities up to one more than a few. Null for an unknown user. */
async function readFew({ database, range, userId }: User): Promise<FoundActivities | null> {
  const [known, found] = await database.batch<StoredRow>([
    database.prepare("SELECT 1 FROM users WHERE partner_id = ? AND user_id = ?").bind(range[0], userId),
    database.prepare(allRows(FEW_ACTIVITIES + 1)).bind(...range, userId),
  ]);
  if (known === undefined || found === undefined || known.results.length === 0) return null;
  const rowsRead = known.meta.rows_read + found.meta.rows_read;
  return { rows: found.results, activities: found.results.length, rowsRead };
}

/** Counts the activities of a user who has more than a few, and reads the newest of them. */
async function readMany(
  { database, range, userId }: User,
  few: FoundActivities,
  hold: Pick<IntakeHold, "add">,
  nowMs: number,
): Promise<FoundActivities> {
  const counted = await database
    .prepare(
      `SELECT count(*) AS activities FROM (SELECT 1 FROM activities a WHERE ${IN_RANGE} LIMIT ${SEARCHED_ACTIVITIES + 1})`,
    )
    .bind(...range)
    .all<{ activities: number }>();
  const activities = counted.results[0]?.activities ?? 0;
  hold.add((Math.min(activities, BASELINE_ACTIVITIES) - FEW_ACTIVITIES) * BYTES_PER_ACTIVITY);
  const statement =
    activities > BASELINE_ACTIVITIES
      ? database.prepare(NEWEST_ROWS).bind(...range, userId, nowMs / 1_000)
      : database.prepare(allRows(BASELINE_ACTIVITIES)).bind(...range, userId);
  const { results, meta } = await statement.all<StoredRow>();
  return { rows: results, activities, rowsRead: few.rowsRead + counted.meta.rows_read + meta.rows_read };
}

const IN_RANGE = "a.partner_id = ?1 AND a.file_id >= ?2 AND a.file_id < ?3";
const COLUMNS = `${RECORDING_COLUMNS}, ${SHORT_SUMMARY_VALUES} AS summary`;

/** SQL for a user's activities, in any order: D1 counts sorted rows twice. */
const allRows = (most: number) =>
  `SELECT ${COLUMNS} FROM activities a CROSS JOIN files f ON ${OF_FILE}
   WHERE ${IN_RANGE} AND f.user_id = ?4 LIMIT ${most}`;

/** SQL for a user's newest activities. Activities with a start in the future, or without one, count as the oldest. */
const NEWEST_ROWS = `SELECT ${COLUMNS} FROM (
    SELECT n.file_id, n.session_index FROM (
      SELECT a.file_id, a.session_index, a.start_time_in_seconds AS start FROM activities a
      WHERE ${IN_RANGE} LIMIT ${SEARCHED_ACTIVITIES}) n
    ORDER BY n.start <= ?5 DESC, n.start DESC LIMIT ${BASELINE_ACTIVITIES}) w
  CROSS JOIN activities a CROSS JOIN files f ON ${OF_FILE}
  WHERE a.partner_id = ?1 AND a.file_id = w.file_id AND a.session_index = w.session_index AND f.user_id = ?4`;

/** Returns an activity of the read model, with what a baseline needs of it. */
export function trainingRowOf({ start_time_in_seconds: start, ...row }: StoredRow): TrainingRow {
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
