import { databaseFor, type Owner } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { activityId, idPrefix, isId, rangeEnd, ROUTE_LENGTH } from "../identifiers.ts";
import { instantOf } from "../database/rows.ts";
import { Where } from "../database/sql.ts";
import {
  FEW,
  NOT_SORTED,
  pageOfSorted,
  readPage,
  sortedIfFew,
  walked,
  type Page,
  type SortedPage,
  type WalkBounds,
  type Walked,
} from "../database/walk.ts";
import { editedFields, editsOfActivity, parseEdits } from "../files/edits.pure.ts";
import { walkBatches, type FilePosition } from "../files/read.ts";
import { DECODER_VERSION, localDateOf } from "../fit/index.ts";
import { trainingLoadOf } from "../fit/trainingLoad.ts";
import type { Activity, RemovedActivity } from "./activity.ts";
import { ALONE } from "./duplicates/groups.pure.ts";
import { withDuplicates, type Reader } from "./duplicates/read.ts";
import { ACTIVITY_COLUMNS, OF_FILE, SPORT } from "./sql.ts";
import { parseSummary } from "./storedSummary.pure.ts";

export interface ActivityRow {
  file_id: string;
  session_index: number;
  version: number;
  user_id: string;
  source: string;
  summary_id: string;
  activity_name: string | null;
  sport: string;
  start_time_in_seconds: number | null;
  summary: string;
  created_at: number;
  updated_at: number;
  edits: string | null;
}

/** Returns an activity without its duplicates. */
export function activityOf(row: ActivityRow): Activity {
  const edits = parseEdits(row.edits);
  const { sub_sport, exclude_from_training = false } = editsOfActivity(edits, row.session_index);
  const { load_evidence, ...summary } = parseSummary(row.summary);
  return {
    activity_id: activityId(row.file_id, row.session_index),
    file_id: row.file_id,
    user_id: row.user_id,
    source: row.source,
    summary_id: row.summary_id,
    activity_name: edits?.activity_name ?? row.activity_name,
    ...summary,
    local_date: localDateOf(row.start_time_in_seconds, summary.utc_offset_in_seconds),
    session_index: row.session_index,
    sport: row.sport,
    sub_sport: sub_sport ?? summary.sub_sport,
    start_time_in_seconds: row.start_time_in_seconds,
    training_load: trainingLoadOf({ ...summary, sport: row.sport, load_evidence }),
    exclude_from_training,
    edited: editedFields(edits, row.session_index),
    ...ALONE,
    version: row.version,
    created_at: instantOf(row.created_at),
    updated_at: instantOf(row.updated_at),
  };
}

/** Parses `{file_id}.{session_index}`. Returns null for anything else. */
export function parseActivityId(id: string): { fileId: string; sessionIndex: number } | null {
  const [, fileId, sessionIndex] = /^([^.]*)\.(0|[1-9]\d{0,3})$/.exec(id) ?? [];
  if (fileId === undefined || sessionIndex === undefined || !isId(fileId)) return null;
  return { fileId, sessionIndex: Number(sessionIndex) };
}

/** An activity without its details, and what its stored bytes are decoded with. */
export interface StoredActivity {
  /** Without its duplicates. */
  activity: Activity;
  /** Null only while an erasure deletes the file. */
  objectKey: string | null;
  startTimeInSeconds: number;
  /** Whether the current decoder has found the activity in the stored bytes. */
  isCurrent: boolean;
}

/** Returns null for an unknown id. */
export async function readStoredActivity(env: Env, owner: Owner, id: string): Promise<StoredActivity | null> {
  const parts = parseActivityId(id);
  if (parts === null) return null;
  const partnerId = owner.partner_id;
  const db = databaseFor(env, owner);
  const row = await db
    .prepare(
      `SELECT ${ACTIVITY_COLUMNS}, f.object_key, f.start_time_in_seconds AS pinged_start, f.decoder_version
       FROM activities a CROSS JOIN files f ON ${OF_FILE}
       WHERE a.partner_id = ? AND a.file_id = ? AND a.session_index = ?`,
    )
    .bind(partnerId, parts.fileId, parts.sessionIndex)
    .first<
      ActivityRow & { object_key: string | null; pinged_start: string; decoder_version: number | null }
    >();
  if (row === null) return null;
  return {
    activity: activityOf(row),
    objectKey: row.object_key,
    startTimeInSeconds: Number(row.pinged_start),
    isCurrent: row.decoder_version === DECODER_VERSION,
  };
}

export interface ActivityFilters {
  user_id?: string | undefined;
  source?: string | undefined;
  sport?: string | undefined;
  /** Part of the file's summary_id or of its activity_name. */
  name_contains?: string | undefined;
  /** Unix seconds; at or after. */
  start_after?: number | undefined;
  /** Unix seconds; before. */
  start_before?: number | undefined;
  /** Unix milliseconds. Orders activities by update, ascending. */
  updated_since?: number | undefined;
  /** Leaves out duplicates. Not with `updated_since`. */
  canonical?: boolean | undefined;
  /** With `updated_since`: also returns removed activities. Of the filters, only user_id and source apply to them. */
  include_deleted?: boolean | undefined;
}

/** A position among activities by start: Unix seconds (null: unknown, after all others), file, session. */
type StartPosition = [start: number | null, fileId: string, sessionIndex: number];
/** A position among changes: the file's, then the session. */
type UpdatePosition = [...FilePosition, sessionIndex: number];
export type ActivityPosition = StartPosition | UpdatePosition;

const isUpdatePosition = (position: ActivityPosition): position is UpdatePosition => position.length === 5;

/**
 * Maximum number of rows that one page skips: of the partner's index of starts, and of the changed files. A row costs
 * up to seven of D1's rows read.
 */
const STARTS_TO_WALK = 1_500;
const CHANGES_TO_WALK = 1_000;
/** The same for a list with removals. */
const REMOVALS_TO_WALK = 700;
/** Maximum number of activities that a page of changes reads. A file may have a hundred. */
const CHANGED_ACTIVITIES = 1_500;
/** Maximum number of a user's activities that a page sorts. With more, the page walks the partner's index. */
export const SORTED_ACTIVITIES = 3_000;
/** A session index after every session of a file. */
const AFTER_SESSIONS = 1_000_000;

/** A list to read: a partner's activities, or those whose ids begin with `prefix`. */
interface List {
  db: D1Database;
  partnerId: string;
  prefix: string | null;
  filters: ActivityFilters;
}

interface PageOfList<P> {
  limit: number;
  after: P | null;
}

/**
 * Returns at most `limit` activities after the position: newest start first, or with `updated_since` by update. A page
 * skips a bounded number of activities that the filters exclude, so it may be short although more follow.
 */
export async function listActivities(
  env: Env,
  reader: Reader,
  filters: ActivityFilters,
  { limit, after }: PageOfList<ActivityPosition>,
): Promise<Page<Activity | RemovedActivity, ActivityPosition>> {
  const partnerId = reader.partner_id;
  const { user_id, source } = filters;
  const prefix = user_id === undefined ? null : idPrefix(partnerId, user_id, source);
  const list = { db: databaseFor(env, reader), partnerId, prefix, filters };
  if (filters.updated_since === undefined) {
    const position = after === null || isUpdatePosition(after) ? null : after;
    const page = await pageByStart(list, { limit, after: position });
    const marked = await withDuplicates(env, reader, page.rows.map(activityOf));
    const rows = filters.canonical === true ? marked.activities.filter(isCanonical) : marked.activities;
    return { ...page, rows, rowsRead: page.rowsRead + marked.rowsRead };
  }
  const position = after !== null && isUpdatePosition(after) ? after : null;
  const page = await pageByUpdate(list, { limit, after: position });
  const activities = page.rows.filter((row) => row.is_removed === 0).map(activityOf);
  const { activities: marked, rowsRead } = await withDuplicates(env, reader, activities);
  const next = marked.values();
  const rows = page.rows.flatMap((row): (Activity | RemovedActivity)[] => {
    if (row.is_removed === 1) return [removedOf(row)];
    const { value } = next.next();
    return value === undefined ? [] : [value];
  });
  return { ...page, rows, rowsRead: page.rowsRead + rowsRead };
}

const isCanonical = ({ is_canonical }: Activity) => is_canonical;

interface ChangedRow extends ActivityRow, Walked {
  walked_time: number;
  walked_first: string;
  walked_batch: string;
  walked_file: string;
  /** 1 for a removed activity, of which the row has only the file and the session. */
  is_removed: 0 | 1;
}

function removedOf({ walked_file, session_index, walked_time }: ChangedRow): RemovedActivity {
  return { activity_id: activityId(walked_file, session_index), deleted_at: instantOf(walked_time) };
}

/** A row of a walk over changes. A removal stands for the lost sessions from `first_session` to before `end_session`. */
interface WalkedChange extends ChangedRow {
  first_session: number;
  end_session: number;
}

/** Returns a row for each session of a removal. */
function sessionsOf(row: WalkedChange): ChangedRow[] {
  if (row.is_removed === 0) return [row];
  const sessions = Array.from({ length: row.end_session - row.first_session }, (_, index) => ({
    ...row,
    session_index: row.first_session + index,
    is_end: 0 as const,
  }));
  return row.is_end === 1 ? [...sessions, { ...row, is_match: 0 }] : sessions;
}

/** Walks the batches that changed files. An activity changes with its file. */
async function pageByUpdate(
  list: List,
  page: PageOfList<UpdatePosition>,
): Promise<Page<ChangedRow, UpdatePosition>> {
  return readPage<ChangedRow, UpdatePosition>(
    { ...page, rowsToWalk: list.filters.include_deleted === true ? REMOVALS_TO_WALK : CHANGES_TO_WALK },
    async (after, bounds) => walkChanges(list, after, bounds),
    (row) => [
      row.walked_time,
      row.walked_first,
      row.walked_batch,
      row.walked_file,
      row.is_match === 1 ? row.session_index : AFTER_SESSIONS,
    ],
  );
}

async function walkChanges(
  { db, partnerId, prefix, filters }: List,
  after: UpdatePosition | null,
  { rows, matches }: WalkBounds,
): Promise<Pick<D1Result<ChangedRow>, "results" | "meta">> {
  const route = prefix?.slice(0, ROUTE_LENGTH) ?? null;
  const [time, first, batch, file, session] = after ?? [null, null, null, null, null];
  const walk = walkBatches({
    partnerId,
    route,
    by: "update",
    since: filters.updated_since,
    after: time === null ? null : [time, first, batch, file],
    again: true,
    removals: filters.include_deleted === true,
  });
  const files = ownedBy(
    new Where().and("f.partner_id = ? AND f.file_id = w.file_id AND f.updated_batch = w.batch_id", partnerId),
    filters,
  );
  const ofFile = new Where().and("a.partner_id = ? AND a.file_id = f.file_id", partnerId);
  const on = bySport(byStart(ofFile, filters), filters);
  // The walk begins with the file at the position, because sessions of it may remain.
  if (file !== null)
    on.and("(a.session_index > ? OR f.walked_file <> ? OR f.walked_batch <> ?)", session, file, batch);
  // Sessions that the file has again are listed with its later change.
  const found = await db
    .prepare(
      `SELECT f.walked_time, f.walked_first, f.walked_batch, f.walked_file, f.is_removed,
         f.first_session, f.end_session, a.file_id IS NOT NULL OR f.is_removed AS is_match,
         (f.n = ?1 OR f.work >= ?2) AS is_end, ${ACTIVITY_COLUMNS}
       FROM (
         SELECT w.n, w.time AS walked_time, w.first_file_id AS walked_first, w.batch_id AS walked_batch,
           w.file_id AS walked_file, f.file_id, f.user_id, f.source, f.summary_id, f.readable_name, f.updated_at, f.edits,
           w.end_session > w.first_session AS is_removed, w.first_session, w.end_session,
           coalesce(f.activity_count, max(w.end_session - w.first_session, 0)) AS own_work,
           sum(coalesce(f.activity_count, max(w.end_session - w.first_session, 0)))
             OVER (ROWS UNBOUNDED PRECEDING) AS work
         FROM (
           SELECT w.*, max(
               w.from_session,
               coalesce((SELECT g.activity_count FROM files g WHERE w.removed IS NOT NULL
                 AND g.partner_id = ?3 AND g.file_id = w.file_id), 0),
               CASE WHEN w.file_id = ?4 AND w.batch_id = ?5 THEN ?6 + 1 ELSE 0 END) AS first_session,
             CASE WHEN w.removed IS NOT NULL AND substr(w.file_id, 1, length(?7)) = ?7
               THEN w.to_session ELSE 0 END AS end_session
           FROM ${walked(walk.sql)}) w
         LEFT JOIN files f ON ${files.sql}) f
       LEFT JOIN activities a ON ${on.sql}
       WHERE f.work - f.own_work < ?2 AND (a.file_id IS NOT NULL OR f.is_removed OR f.n = ?1 OR f.work >= ?2)
       ORDER BY f.n, a.session_index LIMIT ?`,
    )
    .bind(
      rows,
      CHANGED_ACTIVITIES,
      partnerId,
      file,
      batch,
      session,
      prefix ?? "",
      ...walk.values,
      rows,
      ...files.values,
      ...on.values,
      matches,
    )
    .all<WalkedChange>();
  return { results: found.results.flatMap(sessionsOf), meta: found.meta };
}

const positionByStart = (row: ActivityRow): StartPosition => [
  row.start_time_in_seconds,
  row.file_id,
  row.session_index,
];

/** Sorts the activities of a user with few. Otherwise walks the partner's index of starts. */
async function pageByStart(
  list: List,
  page: PageOfList<StartPosition>,
): Promise<Page<ActivityRow, StartPosition>> {
  const sorted = list.prefix === null ? NOT_SORTED : await sortedPage(list, list.prefix, page);
  if (sorted.page !== null) return sorted.page;
  return readPage<WalkedActivity, StartPosition>(
    { ...page, rowsToWalk: STARTS_TO_WALK, rowsReadBefore: sorted.rowsRead },
    async (after, bounds) => walkStarts(list, after, bounds),
    (row) => [row.walked_start, row.walked_file, row.walked_session],
  );
}

interface SortedActivity extends ActivityRow {
  few: 0 | 1;
}

/** Returns no page for a user with too many activities to sort. */
async function sortedPage(
  { db, partnerId, filters }: List,
  prefix: string,
  { limit, after }: PageOfList<StartPosition>,
): Promise<SortedPage<ActivityRow, StartPosition>> {
  const range = new Where()
    .and("a.partner_id = ?", partnerId)
    .and("a.file_id >= ? AND a.file_id < ?", prefix, rangeEnd(prefix));
  const where = ownedBy(bySport(byStart(new Where().and("true"), filters), filters), filters);
  // A comparison with NULL is never true. NULL sorts last in descending order.
  if (after?.[0] === null) {
    where.and(
      "a.start_time_in_seconds IS NULL AND (a.file_id, a.session_index) < (?, ?)",
      after[1],
      after[2],
    );
  } else if (after !== null) {
    const time = "a.start_time_in_seconds";
    where.and(`(${time} IS NULL OR (${time}, a.file_id, a.session_index) < (?, ?, ?))`, ...after);
  }
  const order = "start_time_in_seconds DESC, file_id DESC, session_index DESC";
  const few = { from: "activities a", where: range.sql, most: SORTED_ACTIVITIES };
  const found = await db
    .prepare(
      `${sortedIfFew(
        few,
        `SELECT ${ACTIVITY_COLUMNS} FROM ${FEW} a CROSS JOIN files f ON ${OF_FILE} WHERE ${where.sql}
         ORDER BY a.start_time_in_seconds DESC, a.file_id DESC, a.session_index DESC LIMIT ?`,
      )} ORDER BY ${order}`,
    )
    .bind(...range.values, ...range.values, ...where.values, limit + 1)
    .all<SortedActivity>();
  if (found.results[0]?.few === 0) return { page: null, rowsRead: found.meta.rows_read };
  const rows = found.results.filter((row) => row.file_id !== null);
  return { page: pageOfSorted(rows, limit, found.meta, positionByStart), rowsRead: found.meta.rows_read };
}

interface WalkedActivity extends ActivityRow, Walked {
  walked_start: number | null;
  walked_file: string;
  walked_session: number;
}

async function walkStarts(
  { db, partnerId, prefix, filters }: List,
  after: StartPosition | null,
  { rows, matches }: WalkBounds,
): Promise<D1Result<WalkedActivity>> {
  const walk = startsToWalk(partnerId, filters, after);
  const on = new Where().and(
    "a.partner_id = ? AND a.file_id = w.file_id AND a.session_index = w.session_index",
    partnerId,
  );
  if (prefix !== null) on.and("w.file_id >= ? AND w.file_id < ?", prefix, rangeEnd(prefix));
  byStart(on, filters);
  const of = ownedBy(bySport(new Where().and(OF_FILE), filters), filters);
  return db
    .prepare(
      `SELECT w.start AS walked_start, w.file_id AS walked_file, w.session_index AS walked_session,
         f.file_id IS NOT NULL AS is_match, w.n = ?1 AS is_end, ${ACTIVITY_COLUMNS}
       FROM ${walked(walk.sql)} LEFT JOIN activities a ON ${on.sql} LEFT JOIN files f ON ${of.sql}
       WHERE f.file_id IS NOT NULL OR w.n = ?1 ORDER BY w.n LIMIT ?`,
    )
    .bind(rows, ...walk.values, rows, ...on.values, ...of.values, matches)
    .all<WalkedActivity>();
}

/** Returns the sub-select of a walk along the partner's starts, newest first. Activities without a start come last. */
function startsToWalk(
  partnerId: string,
  { start_after, start_before }: ActivityFilters,
  after: StartPosition | null,
): { sql: string; values: (string | number | null)[] } {
  const select = (where: Where, order: string) =>
    `SELECT a.start_time_in_seconds AS start, a.file_id, a.session_index
     FROM activities a INDEXED BY activities_by_start WHERE ${where.sql} ORDER BY ${order}`;
  const time = "a.start_time_in_seconds";
  const started = new Where().and("a.partner_id = ?", partnerId).and(`${time} IS NOT NULL`);
  if (start_after !== undefined) started.and(`${time} >= ?`, start_after);
  if (start_before !== undefined) started.and(`${time} < ?`, start_before);
  if (after !== null) started.and(`(${time}, a.file_id, a.session_index) < (?, ?, ?)`, ...after);
  const unstarted = new Where().and("a.partner_id = ?", partnerId).and(`${time} IS NULL`);
  const isUnstarted = after !== null && after[0] === null;
  if (isUnstarted) unstarted.and("(a.file_id, a.session_index) < (?, ?)", after[1], after[2]);
  const startedSql = select(started, `${time} DESC, a.file_id DESC, a.session_index DESC`);
  const unstartedSql = select(unstarted, "a.file_id DESC, a.session_index DESC");
  if (isUnstarted) return { sql: unstartedSql, values: unstarted.values };
  if (start_after !== undefined || start_before !== undefined)
    return { sql: startedSql, values: started.values };
  return {
    sql: `SELECT * FROM (${startedSql}) UNION ALL SELECT * FROM (${unstartedSql})`,
    values: [...started.values, ...unstarted.values],
  };
}

/** Adds the filter by sport as a condition on an activity `a` of a file `f`. */
function bySport(where: Where, { sport }: ActivityFilters): Where {
  return where.andEqual(SPORT, sport);
}

/** Adds the filters by start as conditions on an activity `a`. */
function byStart(where: Where, { start_after, start_before }: ActivityFilters): Where {
  const time = "+a.start_time_in_seconds";
  if (start_after !== undefined) where.and(`${time} >= ?`, start_after);
  if (start_before !== undefined) where.and(`${time} < ?`, start_before);
  return where;
}

/** Adds the filters by user and source as conditions on the activity's file `f`. */
function ownedBy(where: Where, { user_id, source, name_contains }: ActivityFilters): Where {
  const names = ["f.summary_id", "coalesce(f.edits ->> '$.activity_name', f.readable_name)"];
  return where.andEqual("f.user_id", user_id).andEqual("f.source", source).andContains(names, name_contains);
}
