import { databaseFor } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { activityId, idPrefix, isId, rangeEnd, ROUTE_LENGTH } from "../identifiers.ts";
import { instantOf, parseColumn } from "../database/rows.ts";
import { DATABASE_NOW, Where } from "../database/sql.ts";
import { detailsSchema, summarySchema, type Activity, type ActivityWithParts } from "./activity.ts";
import { possibleDuplicateOf, START_TOLERANCE_SECONDS, type DuplicateCandidate } from "./duplicates.pure.ts";

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

type CandidateRow = Omit<DuplicateCandidate, "activity_id"> & { user_id: string; session_index: number };

/** Returns the ranges of starts in which duplicates of these activities begin. Ranges that touch are joined, so that each is read once. */
function rangesAround(activities: readonly Activity[]): { from: number; to: number }[] {
  const ranges: { from: number; to: number }[] = [];
  const starts = activities.flatMap((activity) => activity.start_time_in_seconds ?? []);
  for (const start of starts.toSorted((a, b) => a - b)) {
    const from = start - START_TOLERANCE_SECONDS;
    const to = start + START_TOLERANCE_SECONDS;
    const last = ranges.at(-1);
    if (last !== undefined && from <= last.to) last.to = to;
    else ranges.push({ from, to });
  }
  return ranges;
}

/** Fills in `possible_duplicate_of` with one query for all activities. */
async function withDuplicates<T extends Activity>(
  db: D1Database,
  partnerId: string,
  activities: readonly T[],
): Promise<T[]> {
  const ranges = rangesAround(activities);
  if (ranges.length === 0) return [...activities];
  const routes = new Set(activities.map((activity) => activity.file_id.slice(0, ROUTE_LENGTH)));
  // No index holds a user's starts. The query walks the partner's index and looks up only rows of these users.
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
    .all<CandidateRow>();
  const candidates = found.results.map((row) => ({
    ...row,
    activity_id: activityId(row.file_id, row.session_index),
  }));
  const candidatesOf = Map.groupBy(candidates, ({ user_id }) => user_id);
  return activities.map((activity) => {
    const { user_id, start_time_in_seconds } = activity;
    if (start_time_in_seconds === null) return activity;
    const self = { ...activity, start_time_in_seconds, created_at: Date.parse(activity.created_at) };
    return { ...activity, possible_duplicate_of: possibleDuplicateOf(self, candidatesOf.get(user_id) ?? []) };
  });
}

/** Parses `{file_id}.{session_index}`. Returns null for anything else. */
export function parseActivityId(id: string): { fileId: string; sessionIndex: number } | null {
  const [, fileId, sessionIndex] = /^([^.]*)\.(0|[1-9]\d{0,3})$/.exec(id) ?? [];
  if (fileId === undefined || sessionIndex === undefined || !isId(fileId)) return null;
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
  /** Unix milliseconds. Orders activities by update, ascending. */
  updated_since?: number | undefined;
}

/** Start in Unix seconds (null: unknown), or updated_at in milliseconds with updated_since; then file and session. */
export type ActivityPosition = [time: number | null, fileId: string, sessionIndex: number];

const BY_START = "activities a INDEXED BY activities_by_start";
/** Reads along the batches that changed files. An activity is written in the same batch as its file. */
const BY_UPDATE = `file_batches b INDEXED BY file_batches_by_update CROSS JOIN json_each(b.file_ids) j
  CROSS JOIN activities a ON a.partner_id = b.partner_id AND a.file_id = j.value AND a.updated_batch = b.batch_id`;

/** A list to read: a partner's activities, or those whose ids begin with `prefix`. */
interface List {
  db: D1Database;
  partnerId: string;
  prefix: string | null;
  filters: ActivityFilters;
}

interface PageOfList {
  limit: number;
  after: ActivityPosition | null;
}

/** Returns at most `limit` activities after the position: newest start first, or with `updated_since` by update. */
export async function listActivities(
  env: Env,
  partnerId: string,
  filters: ActivityFilters,
  page: PageOfList,
): Promise<Activity[]> {
  const { user_id, source } = filters;
  const prefix = user_id === undefined ? null : idPrefix(partnerId, user_id, source);
  const db = databaseFor(env, partnerId);
  const list = { db, partnerId, prefix, filters };
  const { updated_since: since } = filters;
  const rows = since === undefined ? await rowsByStart(list, page) : await rowsByUpdate(list, since, page);
  return withDuplicates(db, partnerId, rows.map(activityOf));
}

async function rowsByUpdate(list: List, since: number, { limit, after }: PageOfList): Promise<ActivityRow[]> {
  const time = list.prefix === null ? "b.updated_at" : "a.updated_at";
  const where = filtered(list, list.prefix === null ? "b" : "a");
  if (after === null) where.and(`${time} >= ?`, since);
  else {
    const [updatedAt, ...names] = after;
    where.and(`${time} >= ?`, updatedAt);
    where.and(`(${time}, a.file_id, a.session_index) > (?, ?, ?)`, updatedAt, ...names);
  }
  // Leave rows of the current millisecond to the next poll: more of them may still be written.
  where.and(`${time} < ${DATABASE_NOW}`);
  return readRows(list, BY_UPDATE, where, `${time}, a.file_id, a.session_index`, limit);
}

/** Activities without a start follow all others. NULL compares with nothing, so they need a query of their own. */
async function rowsByStart(list: List, { limit, after }: PageOfList): Promise<ActivityRow[]> {
  if (after !== null && after[0] === null) return rowsWithoutStart(list, { limit, after });
  const time = startColumn(list);
  const where = filtered(list, "a");
  if (after === null) where.and("a.start_time_in_seconds IS NOT NULL");
  else where.and(`(${time}, a.file_id, a.session_index) < (?, ?, ?)`, ...after);
  const order = `${time} DESC, a.file_id DESC, a.session_index DESC`;
  const started = await readRows(list, BY_START, where, order, limit);
  if (started.length === limit) return started;
  return [...started, ...(await rowsWithoutStart(list, { limit: limit - started.length, after: null }))];
}

async function rowsWithoutStart(list: List, { limit, after }: PageOfList): Promise<ActivityRow[]> {
  const where = filtered(list, "a").and("a.start_time_in_seconds IS NULL");
  if (after !== null) where.and("(a.file_id, a.session_index) < (?, ?)", after[1], after[2]);
  return readRows(list, BY_START, where, "a.file_id DESC, a.session_index DESC", limit);
}

/** Returns the filters as conditions. The index of table `partnerOf` on the partner is used. */
function filtered(list: List, partnerOf: "a" | "b"): Where {
  const { partnerId, prefix, filters } = list;
  const time = startColumn(list);
  const where = new Where().and(`${partnerOf}.partner_id = ?`, partnerId);
  if (prefix !== null) where.and("a.file_id >= ? AND a.file_id < ?", prefix, rangeEnd(prefix));
  where
    .andEqual("a.user_id", filters.user_id)
    .andEqual("a.source", filters.source)
    .andEqual("a.sport", filters.sport);
  if (filters.start_after !== undefined) where.and(`${time} >= ?`, filters.start_after);
  if (filters.start_before !== undefined) where.and(`${time} < ?`, filters.start_before);
  return where;
}

/**
 * Returns the column to sort by. A user's rows are stored together and sorted; a `+` keeps SQLite from using the
 * partner's index. A partner's rows are read along that index.
 */
function startColumn({ prefix }: List): string {
  return `${prefix === null ? "" : "+"}a.start_time_in_seconds`;
}

/** `from` is the table that a partner's rows are read from. A user's rows are read by their ids. */
async function readRows(
  { db, prefix }: List,
  from: string,
  where: Where,
  order: string,
  limit: number,
): Promise<ActivityRow[]> {
  const found = await db
    .prepare(
      `SELECT ${COLUMNS} FROM ${prefix === null ? from : "activities a"}
       WHERE ${where.sql} ORDER BY ${order} LIMIT ?`,
    )
    .bind(...where.values, limit)
    .all<ActivityRow>();
  return found.results;
}
