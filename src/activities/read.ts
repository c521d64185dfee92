import { databaseFor } from "../database.ts";
import type { Env } from "../env.ts";
import { activityId, rangeEnd, ROUTE_LENGTH, userRoute } from "../identifiers.ts";
import { instantOf, parseColumn } from "../rows.ts";
import { DATABASE_NOW } from "../sql.ts";
import { detailsSchema, summarySchema, type Activity, type ActivityWithParts } from "./activity.ts";
import { possibleDuplicateOf, TWIN_START_TOLERANCE_SECONDS, type Twin } from "./duplicates.ts";

interface ActivityRow {
  file_id: string;
  session_index: number;
  version: number;
  user_id: string;
  source: string;
  summary_id: string;
  activity_name: string | null;
  start_time_in_seconds: number | null;
  summary: string;
  created_at: number;
  updated_at: number;
}

const COLUMNS = `a.file_id, a.session_index, a.version, a.user_id, a.source, a.summary_id, a.activity_name,
  a.start_time_in_seconds, a.summary, a.created_at, a.updated_at`;

function activityOf(row: ActivityRow): Activity {
  return {
    activity_id: activityId(row.file_id, row.session_index),
    file_id: row.file_id,
    user_id: row.user_id,
    source: row.source,
    summary_id: row.summary_id,
    activity_name: row.activity_name,
    ...parseColumn(summarySchema, row.summary),
    possible_duplicate_of: null,
    version: row.version,
    created_at: instantOf(row.created_at),
    updated_at: instantOf(row.updated_at),
  };
}

type TwinRow = Omit<Twin, "activity_id"> & { user_id: string; session_index: number };

/** Ranges of starts within which copies of these activities begin, joined where they touch: each is walked once. */
function rangesAround(activities: readonly Activity[]): { from: number; to: number }[] {
  const ranges: { from: number; to: number }[] = [];
  const starts = activities.flatMap((activity) => activity.start_time_in_seconds ?? []);
  for (const start of starts.toSorted((a, b) => a - b)) {
    const from = start - TWIN_START_TOLERANCE_SECONDS;
    const to = start + TWIN_START_TOLERANCE_SECONDS;
    const last = ranges.at(-1);
    if (last !== undefined && from <= last.to) last.to = to;
    else ranges.push({ from, to });
  }
  return ranges;
}

/** Fills in `possible_duplicate_of`, with one query for all of them. */
async function withDuplicates<T extends Activity>(
  db: D1Database,
  partnerId: string,
  activities: readonly T[],
): Promise<T[]> {
  const ranges = rangesAround(activities);
  if (ranges.length === 0) return [...activities];
  const routes = new Set(activities.map((activity) => activity.file_id.slice(0, ROUTE_LENGTH)));
  // No index holds a user's starts: the partner's are walked, in the index alone, and these users' rows looked up.
  const found = await db
    .prepare(
      `SELECT a.user_id, a.file_id, a.session_index, a.sport, a.start_time_in_seconds,
         a.summary->>'elapsed_time_in_seconds' AS elapsed_time_in_seconds, a.created_at
       FROM json_each(?2) j CROSS JOIN activities i INDEXED BY activities_by_start CROSS JOIN activities a
       WHERE i.partner_id = ?1
         AND i.start_time_in_seconds BETWEEN (j.value->>'from') AND (j.value->>'to')
         AND substr(i.file_id, 1, ${ROUTE_LENGTH}) IN (SELECT value FROM json_each(?3))
         AND a.partner_id = i.partner_id AND a.file_id = i.file_id AND a.session_index = i.session_index`,
    )
    .bind(partnerId, JSON.stringify(ranges), JSON.stringify([...routes]))
    .all<TwinRow>();
  const twins = Map.groupBy(
    found.results.map(({ user_id, ...row }) => ({
      user_id,
      twin: { ...row, activity_id: activityId(row.file_id, row.session_index) },
    })),
    ({ user_id }) => user_id,
  );
  const ofUser = new Map([...twins].map(([user, rows]) => [user, rows.map(({ twin }) => twin)]));
  return activities.map((activity) => {
    const { user_id, start_time_in_seconds } = activity;
    if (start_time_in_seconds === null) return activity;
    const self = { ...activity, start_time_in_seconds, created_at: Date.parse(activity.created_at) };
    return { ...activity, possible_duplicate_of: possibleDuplicateOf(self, ofUser.get(user_id) ?? []) };
  });
}

/** `{file_id}.{session_index}` taken apart; null when it is nothing of the kind. */
export function parseActivityId(id: string): { fileId: string; sessionIndex: number } | null {
  const [, fileId, sessionIndex] = /^([0-9a-z]{1,64})\.(0|[1-9]\d{0,3})$/.exec(id) ?? [];
  if (fileId === undefined || sessionIndex === undefined) return null;
  return { fileId, sessionIndex: Number(sessionIndex) };
}

export async function readActivity(
  env: Env,
  partnerId: string,
  id: string,
): Promise<ActivityWithParts | null> {
  const parts = parseActivityId(id);
  if (parts === null) return null;
  const db = databaseFor(env, partnerId);
  const row = await db
    .prepare(
      `SELECT ${COLUMNS}, a.details FROM activities a
       WHERE a.partner_id = ? AND a.file_id = ? AND a.session_index = ?`,
    )
    .bind(partnerId, parts.fileId, parts.sessionIndex)
    .first<ActivityRow & { details: string }>();
  if (row === null) return null;
  const activity = { ...activityOf(row), ...parseColumn(detailsSchema, row.details) };
  return (await withDuplicates(db, partnerId, [activity]))[0] ?? null;
}

export interface ActivityFilters {
  user_id?: string | undefined;
  source?: string | undefined;
  sport?: string | undefined;
  /** Unix seconds; at or after. */
  start_after?: number | undefined;
  /** Unix seconds; before. */
  start_before?: number | undefined;
  /** Unix milliseconds; turns the order into ascending by update. */
  updated_since?: number | undefined;
}

/** The start in Unix seconds (null: none known), or updated_at in ms with updated_since; then file and session. */
export type ActivityPosition = [time: number | null, fileId: string, sessionIndex: number];

const BY_START = "activities a INDEXED BY activities_by_start";
/** Along the batches that changed files: an activity is written together with its file. */
const BY_UPDATE = `file_batches b INDEXED BY file_batches_by_update CROSS JOIN json_each(b.file_ids) j
  CROSS JOIN activities a ON a.partner_id = b.partner_id AND a.file_id = j.value AND a.updated_batch = b.batch_id`;

/** At most `limit` activities after the position, newest start first, or ascending by update with `updated_since`. */
export async function listActivities(
  env: Env,
  partnerId: string,
  filters: ActivityFilters,
  { limit, after }: { limit: number; after: ActivityPosition | null },
): Promise<Activity[]> {
  const route = filters.user_id === undefined ? null : userRoute(partnerId, filters.user_id);
  const db = databaseFor(env, partnerId);
  const byUpdate = route === null && filters.updated_since !== undefined;
  const conditions = [byUpdate ? "b.partner_id = ?" : "a.partner_id = ?"];
  const values: (string | number)[] = [partnerId];
  const require = (condition: string, ...bound: (string | number)[]) => {
    conditions.push(condition);
    values.push(...bound);
  };
  // A user's rows lie together, so they are sorted; a partner's are walked along the index of their order.
  const plus = route === null ? "" : "+";
  if (route !== null) require("a.file_id >= ? AND a.file_id < ?", route, rangeEnd(route));
  if (filters.user_id !== undefined) require("a.user_id = ?", filters.user_id);
  if (filters.source !== undefined) require("a.source = ?", filters.source);
  if (filters.sport !== undefined) require("a.sport = ?", filters.sport);
  if (filters.start_after !== undefined) require(`${plus}a.start_time_in_seconds >= ?`, filters.start_after);
  if (filters.start_before !== undefined) require(`${plus}a.start_time_in_seconds < ?`, filters.start_before);

  const read = async (
    from: string,
    extra: string[],
    bound: (string | number)[],
    order: string,
    rows: number,
  ) => {
    const found = await db
      .prepare(
        `SELECT ${COLUMNS} FROM ${route === null ? from : "activities a"}
         WHERE ${[...conditions, ...extra].join(" AND ")} ORDER BY ${order} LIMIT ?`,
      )
      .bind(...values, ...bound, rows)
      .all<ActivityRow>();
    return found.results;
  };
  const pageRows = async (): Promise<ActivityRow[]> => {
    if (filters.updated_since !== undefined) {
      const column = route === null ? "b.updated_at" : "a.updated_at";
      const begin = [`${column} >= ?`];
      if (after !== null) begin.push(`(${column}, a.file_id, a.session_index) > (?, ?, ?)`);
      // Rows of the current millisecond wait for the next look: more of them may still be written.
      return read(
        BY_UPDATE,
        [...begin, `${column} < ${DATABASE_NOW}`],
        after === null ? [filters.updated_since] : [after[0] ?? 0, after[0] ?? 0, after[1], after[2]],
        `${column}, a.file_id, a.session_index`,
        limit,
      );
    }
    // Null is in no order relation, so activities without a start are a second walk behind the first.
    const column = `${plus}a.start_time_in_seconds`;
    const startless = after !== null && after[0] === null;
    const started = startless
      ? []
      : await read(
          BY_START,
          after === null
            ? ["a.start_time_in_seconds IS NOT NULL"]
            : [`(${column}, a.file_id, a.session_index) < (?, ?, ?)`],
          after === null ? [] : [after[0] ?? 0, after[1], after[2]],
          `${column} DESC, a.file_id DESC, a.session_index DESC`,
          limit,
        );
    if (started.length === limit) return started;
    const rest = await read(
      BY_START,
      ["a.start_time_in_seconds IS NULL", ...(startless ? ["(a.file_id, a.session_index) < (?, ?)"] : [])],
      startless ? [after[1], after[2]] : [],
      "a.file_id DESC, a.session_index DESC",
      limit - started.length,
    );
    return [...started, ...rest];
  };
  return withDuplicates(db, partnerId, (await pageRows()).map(activityOf));
}
