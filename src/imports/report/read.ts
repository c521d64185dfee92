import { databaseFor, type Owner } from "../../database/databases.ts";
import { jsonSlices } from "../../database/sql.ts";
import type { Env } from "../../env.ts";
import type { FileStatus } from "../../files/file.ts";
import { RELEASED_BY } from "../../files/read.ts";
import { parseFileError } from "../../files/storedFields.pure.ts";
import { collectorPrefixOf, rangeEnd } from "../../identifiers.ts";
import { parseSummary } from "../../activities/storedSummary.pure.ts";
import type { ReportFile } from "./lines.ts";

/** Number of files that one query examines, whether they belong to the import or not. */
const FILES_A_PAGE = 500;
/** Maximum number of activities that one query returns, unless one file has more. */
const ACTIVITIES_A_PAGE = 1_000;
/** The first two lines of a summary have the distance. They are shorter than this; lists of streams may be longer. */
const SUMMARY_CHARACTERS = 8_000;

interface FileRow {
  file_id: string;
  summary_id: string;
  status: FileStatus;
  import_id: string | null;
  released_by: string | null;
  error: string | null;
  activity_count: number;
}

interface ActivityRow {
  file_id: string;
  sport: string;
  start_time_in_seconds: number | null;
  summary: string;
}

/** Files of one page, the position of the next page (null after the last), and the number of rows read. */
export interface ReportPage {
  files: ReportFile[];
  next: string | null;
  rowsRead: number;
}

/** Returns the import's files after a file id, by file id. */
export async function readReportPage(
  env: Env,
  owner: Owner,
  importId: string,
  after: string,
): Promise<ReportPage> {
  const prefix = collectorPrefixOf(importId);
  const { results, meta } = await databaseFor(env, owner)
    .prepare(
      `SELECT f.file_id, f.summary_id, f.status, f.import_id, ${RELEASED_BY} AS released_by, f.error, f.activity_count
       FROM files f WHERE f.partner_id = ? AND f.file_id > ? AND f.file_id < ? ORDER BY f.file_id LIMIT ?`,
    )
    .bind(owner.partner_id, after === "" ? prefix : after, rangeEnd(prefix), FILES_A_PAGE)
    .all<FileRow>();
  const rows = results.filter((row) => (row.released_by ?? row.import_id) === importId);
  const files: ReportFile[] = [];
  let rowsRead = meta.rows_read;
  for (const group of groupsOf(rows)) {
    const found = await readActivities(env, owner, group);
    rowsRead += found.rowsRead;
    files.push(...group.map((row) => lineOf(row, found.activities.get(row.file_id) ?? [])));
  }
  return { files, next: results.length < FILES_A_PAGE ? null : (results.at(-1)?.file_id ?? null), rowsRead };
}

/** Returns the files in groups with a limited number of activities. */
function groupsOf(rows: readonly FileRow[]): FileRow[][] {
  const groups: FileRow[][] = [];
  let activities = Infinity;
  for (const row of rows) {
    activities += row.activity_count;
    if (activities > ACTIVITIES_A_PAGE) {
      groups.push([]);
      activities = row.activity_count;
    }
    groups.at(-1)?.push(row);
  }
  return groups;
}

async function readActivities(env: Env, owner: Owner, files: readonly FileRow[]) {
  const activities = new Map<string, ActivityRow[]>();
  let rowsRead = 0;
  const ids = files.filter((row) => row.activity_count > 0).map((row) => row.file_id);
  for (const slice of jsonSlices(ids)) {
    const { results, meta } = await databaseFor(env, owner)
      .prepare(
        `SELECT a.file_id, a.sport, a.start_time_in_seconds, substr(a.summary, 1, ${SUMMARY_CHARACTERS}) AS summary
         FROM json_each(?2) j CROSS JOIN activities a ON a.partner_id = ?1 AND a.file_id = j.value
         ORDER BY a.file_id, a.session_index`,
      )
      .bind(owner.partner_id, slice)
      .all<ActivityRow>();
    rowsRead += meta.rows_read;
    for (const row of results) {
      const own = activities.get(row.file_id);
      if (own === undefined) activities.set(row.file_id, [row]);
      else own.push(row);
    }
  }
  return { activities, rowsRead };
}

function lineOf(row: FileRow, activities: readonly ActivityRow[]): ReportFile {
  const status = row.released_by === null ? row.status : "queued";
  const starts = activities.flatMap((activity) => activity.start_time_in_seconds ?? []);
  const sports = new Set(activities.map((activity) => activity.sport));
  const distances = activities.flatMap((activity) => distanceOf(activity.summary) ?? []);
  const [sport = null] = sports;
  return {
    type: "file",
    file_id: row.file_id,
    summary_id: row.summary_id,
    status,
    error_code:
      status === "failed" || status === "skipped" ? (parseFileError(row.error)?.code ?? null) : null,
    start_time_in_seconds: starts.length === 0 ? null : Math.min(...starts),
    sport: sports.size > 1 ? "multisport" : sport,
    distance_in_meters:
      distances.length === 0 ? null : distances.reduce((sum, distance) => sum + distance, 0),
  };
}

function distanceOf(summary: string): number | null {
  const [own, quantities, ...rest] = summary.split("\n");
  if (own === undefined || quantities === undefined || rest.length === 0) return null;
  return parseSummary(`${own}\n${quantities}`).distance_in_meters;
}
