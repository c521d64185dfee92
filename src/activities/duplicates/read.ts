import { z } from "zod";
import { databaseFor, type Owner } from "../../database/databases.ts";
import { parseColumn } from "../../database/rows.ts";
import type { Env } from "../../env.ts";
import { editsOfActivity, parseEdits } from "../../files/edits.pure.ts";
import { activityId, rangeEnd, ROUTE_LENGTH } from "../../identifiers.ts";
import type { Activity } from "../activity.ts";
import { OF_FILE, RECORDING_COLUMNS, SUMMARY_VALUES } from "../sql.ts";
import { parseSummary, type StoredFields } from "../storedSummary.pure.ts";
import { ALONE, membershipsOf, startDifferenceOf, type Recording } from "./groups.pure.ts";

/** A partner whose activities are read. */
export interface Reader extends Owner {
  /** Sources in the order in which the partner prefers their recordings. */
  source_order: readonly string[];
}

/** Columns of a recording. */
export interface RecordingRow {
  file_id: string;
  session_index: number;
  source: string;
  sport: string;
  start_time_in_seconds: number;
  sha256: string | null;
  edits: string | null;
}

export function recordingOf(row: RecordingRow, summary: StoredFields): Recording {
  const { exclude_from_training } = editsOfActivity(parseEdits(row.edits), row.session_index);
  return {
    activity_id: activityId(row.file_id, row.session_index),
    file_id: row.file_id,
    source: row.source,
    sport: row.sport,
    start_time_in_seconds: row.start_time_in_seconds,
    duration_in_seconds: summary.elapsed_time_in_seconds ?? summary.timer_time_in_seconds,
    sha256: row.sha256,
    is_excluded: exclude_from_training === true,
    has_power: (summary.average_power_in_watts ?? 0) > 0,
    has_rr_intervals: summary.has_rr_intervals,
    has_position: summary.start_latitude_in_degrees !== null,
    number_of_laps: summary.number_of_laps ?? 0,
  };
}

/**
 * Maximum number of entries that the search for one page reads from the partner's index of starts. Each range has an equal share, so
 * that a time at which many users start does not use up the others' shares. D1 counts an entry as two rows.
 */
const ENTRIES = 2_500;
/** Maximum number of users whose activities may be read instead, and of the entries and activities that are read for them. */
const MOST_USERS = 4;
const ENTRIES_OF_USERS = 700;
const ACTIVITIES_OF_USERS = 2_000;
/** Maximum number of recordings that are compared for one page. */
const RECORDINGS = 300;

/** Starts in Unix seconds. */
type Range = { from: number; to: number };

/** An activity with a start. */
type Started = Activity & { start_time_in_seconds: number };
const isStarted = (activity: Activity): activity is Started => activity.start_time_in_seconds !== null;
const routeOf = (fileId: string) => fileId.slice(0, ROUTE_LENGTH);

/** Returns the ranges of starts in which duplicates of activities begin, and duplicates of these. Touching ranges are merged. */
function rangesAround(activities: readonly Started[]): Range[] {
  const reaches = activities.map(({ start_time_in_seconds: start, ...activity }) => {
    const duration = activity.elapsed_time_in_seconds ?? activity.timer_time_in_seconds ?? 0;
    // A duplicate is at most twice as long.
    const reach = startDifferenceOf(duration) + startDifferenceOf(2 * duration);
    return { from: start - reach, to: start + reach };
  });
  const ranges: Range[] = [];
  for (const { from, to } of reaches.toSorted((a, b) => a.from - b.from)) {
    const last = ranges.at(-1);
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
    else ranges.push({ from, to });
  }
  return ranges;
}

/** Id and start of an activity. */
type Entry = [fileId: string, sessionIndex: number, start: number | null];
const entries = z.array(z.tuple([z.string(), z.number(), z.number().nullable()]));

interface Search {
  db: D1Database;
  partnerId: string;
  ranges: readonly Range[];
  routes: readonly string[];
}

interface Found {
  entries: Entry[];
  rowsRead: number;
  /** Whether a range or a user may have more entries than were read. */
  isCut: boolean;
}

/** Runs a statement that returns, for each range or user, the wanted entries and the number of entries that it read. */
async function search(statement: D1PreparedStatement, most: number): Promise<Found> {
  const { results, meta } = await statement.all<{ walked: number; wanted: string }>();
  return {
    entries: results.flatMap(({ wanted }) => parseColumn(entries, wanted)),
    rowsRead: meta.rows_read,
    isCut: results.some(({ walked }) => walked >= most),
  };
}

/** Walks the partner's index of starts. */
async function searchStarts({ db, partnerId, ranges, routes }: Search, entries: number): Promise<Found> {
  const most = Math.max(1, Math.floor(entries / ranges.length));
  const statement = db
    .prepare(
      `SELECT hits ->> 'walked' AS walked, hits ->> 'wanted' AS wanted FROM (
         SELECT (SELECT json_object('walked', count(*), 'wanted',
             json_group_array(json_array(i.file_id, i.session_index, i.start_time_in_seconds))
               FILTER (WHERE substr(i.file_id, 1, ${ROUTE_LENGTH}) IN (SELECT value FROM json_each(?3))))
           FROM (SELECT file_id, session_index, start_time_in_seconds FROM activities INDEXED BY activities_by_start
             WHERE partner_id = ?1
               AND start_time_in_seconds BETWEEN (j.value ->> 'from') AND (j.value ->> 'to') LIMIT ?4) i) AS hits
         FROM json_each(?2) j)`,
    )
    .bind(partnerId, JSON.stringify(ranges), JSON.stringify(routes), most);
  return search(statement, most);
}

/** Reads the starts of all activities of these users. */
async function searchUsers({ db, partnerId, routes }: Search): Promise<Found> {
  const most = Math.floor(ACTIVITIES_OF_USERS / routes.length);
  const statement = db
    .prepare(
      `SELECT hits ->> 'walked' AS walked, hits ->> 'wanted' AS wanted FROM (
         SELECT (SELECT json_object('walked', count(*), 'wanted',
             json_group_array(json_array(i.file_id, i.session_index, i.start_time_in_seconds)))
           FROM (SELECT file_id, session_index, start_time_in_seconds FROM activities
             WHERE partner_id = ?1
               AND file_id >= (j.value ->> 'from') AND file_id < (j.value ->> 'to') LIMIT ?3) i) AS hits
         FROM json_each(?2) j)`,
    )
    .bind(partnerId, JSON.stringify(routes.map((from) => ({ from, to: rangeEnd(from) }))), most);
  return search(statement, most);
}

/** Runs the search that probably reads fewer rows. If that one was cut, runs the other one as well. */
async function searchEntries(request: Search): Promise<Found> {
  if (request.routes.length > MOST_USERS) return searchStarts(request, ENTRIES);
  const searches = [() => searchStarts(request, ENTRIES_OF_USERS), () => searchUsers(request)];
  if (request.ranges.length > 1) searches.reverse();
  const all: Found = { entries: [], rowsRead: 0, isCut: false };
  for (const search of searches) {
    const found = await search();
    all.entries.push(...found.entries);
    all.rowsRead += found.rowsRead;
    if (!found.isCut) break;
  }
  return all;
}

/** Returns the entries near one of the activities, where its user has more than one of them. */
function neighboursOf(found: readonly Entry[], activities: readonly Started[]): Entry[] {
  const ofUser = Map.groupBy(found, ([fileId]) => routeOf(fileId));
  return [...Map.groupBy(activities, ({ file_id }) => routeOf(file_id))].flatMap(([route, own]) =>
    rangesAround(own).flatMap(({ from, to }) => {
      const near = (ofUser.get(route) ?? []).filter(
        ([, , start]) => start !== null && start >= from && start <= to,
      );
      const distinct = new Map(near.map((entry) => [activityId(entry[0], entry[1]), entry]));
      return distinct.size > 1 ? [...distinct.values()] : [];
    }),
  );
}

async function readRecordings(
  { db, partnerId }: Search,
  ids: readonly Entry[],
): Promise<{ recordings: Recording[]; rowsRead: number }> {
  if (ids.length === 0) return { recordings: [], rowsRead: 0 };
  const { results, meta } = await db
    .prepare(
      `SELECT ${RECORDING_COLUMNS}, ${SUMMARY_VALUES} AS summary FROM json_each(?2) j CROSS JOIN activities a CROSS JOIN files f ON ${OF_FILE}
       WHERE a.partner_id = ?1 AND a.file_id = j.value ->> 0 AND a.session_index = j.value ->> 1`,
    )
    .bind(partnerId, JSON.stringify(ids.slice(0, RECORDINGS)))
    .all<RecordingRow & { summary: string }>();
  const recordings = results.map((row) => recordingOf(row, parseSummary(row.summary)));
  return { recordings, rowsRead: meta.rows_read };
}

/**
 * Returns activities with their groups of duplicates. Makes at most three queries for all activities. In lists over very many users
 * and activities the search is limited, and finds only some of the duplicates.
 */
export async function withDuplicates(
  env: Env,
  reader: Reader,
  activities: readonly Activity[],
): Promise<{ activities: Activity[]; rowsRead: number }> {
  const started = activities.filter(isStarted);
  if (started.length === 0) return { activities: [...activities], rowsRead: 0 };
  const request = {
    db: databaseFor(env, reader),
    partnerId: reader.partner_id,
    ranges: rangesAround(started),
    routes: [...new Set(started.map(({ file_id }) => routeOf(file_id)))],
  };
  const found = await searchEntries(request);
  const { recordings, rowsRead } = await readRecordings(request, neighboursOf(found.entries, started));
  const memberships = new Map(
    [...Map.groupBy(recordings, ({ file_id }) => routeOf(file_id)).values()].flatMap((ofUser) => [
      ...membershipsOf(ofUser, reader.source_order),
    ]),
  );
  return {
    activities: activities.map((activity) => ({
      ...activity,
      ...(memberships.get(activity.activity_id) ?? ALONE),
    })),
    rowsRead: found.rowsRead + rowsRead,
  };
}

/** Returns the activity with its group of duplicates. */
export async function withDuplicate(env: Env, reader: Reader, activity: Activity): Promise<Activity> {
  return (await withDuplicates(env, reader, [activity])).activities[0] ?? activity;
}
