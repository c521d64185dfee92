import { dateOf, dayOf } from "../contract/days.ts";
import { z } from "zod";
import { DAY_MS, HELD_FOR_MS, OVERVIEW_DAYS } from "../contract/limits.ts";
import { FORGED } from "../deliveries/forged.ts";
import { ENDPOINT_IDS } from "../endpoints/subscribers.ts";
import { listedId } from "../files/batches/listed.pure.ts";
import { databaseFor, type Owner } from "../database/databases.ts";
import type { Env } from "../env.ts";
import type { FileErrorCode } from "../files/errorCodes.ts";
import type { FileStatus } from "../files/file.ts";
import { READ_STATUS } from "../files/read.ts";
import { readUsage } from "../usage/read.ts";
import { instantOf, parseColumn } from "../database/rows.ts";
import { MAX_COUNTED, type FilesByStatus, type Overview } from "./overview.ts";

interface FileCount {
  day: number;
  /** Null for listed files that do not exist any more, or that a newer batch lists. */
  status: FileStatus | null;
  code: FileErrorCode | null;
  files: number;
  /** When the group's oldest file was received, in Unix milliseconds. */
  oldest: number;
  /** Number of listed files in all groups. */
  found: number;
  /** JSON array: milliseconds from the ping of each of its live rides until it could be read. */
  waits: string;
}

const noFiles = (): FilesByStatus => ({ held: 0, queued: 0, imported: 0, failed: 0, skipped: 0 });

/** Returns SQL for the newest rows of `select`, at most ?3. `found` has one row more, which shows that there are more. */
function newestOf(select: string): string {
  return `WITH found AS (${select} LIMIT ?3 + 1), newest AS (SELECT * FROM found LIMIT ?3)`;
}

/**
 * Counts a partner's files, imports and events of the last 14 UTC days, and all held files. Counts only the newest
 * `MAX_COUNTED` of each, read along an index. `capped` is true if there are more. Calls `count` with the number of rows
 * that the queries read.
 */
export async function readOverview(
  env: Env,
  owner: Owner,
  nowMs: number,
  count: (rows: number) => void,
): Promise<Overview> {
  const firstDay = dayOf(nowMs) - (OVERVIEW_DAYS - 1);
  const since = firstDay * DAY_MS;
  const partnerId = owner.partner_id;
  const database = databaseFor(env, owner);
  const [{ results: files, ...ofFiles }, usage, importRows, eventRows] = await Promise.all([
    countFiles(database, partnerId, Math.min(since, nowMs - HELD_FOR_MS)),
    readUsage(env, owner),
    countImports(database, partnerId, since),
    countEvents(database, partnerId, since),
  ]);
  count(ofFiles.meta.rows_read + importRows.meta.rows_read + eventRows.meta.rows_read);
  const [imports] = importRows.results;
  const [events] = eventRows.results;
  const counts = [
    { found: files[0]?.found ?? 0, most: MAX_COUNTED.files },
    { found: imports?.found ?? 0, most: MAX_COUNTED.imports },
    { found: events?.found ?? 0, most: MAX_COUNTED.events },
  ];
  return {
    since: instantOf(since),
    capped: counts.some(({ found, most }) => found > most),
    ...filesByDay(files, firstDay),
    held: heldFiles(files),
    usage,
    time_to_readable: timeToReadable(files, firstDay),
    imports: { running: imports?.running ?? 0 },
    events: {
      pending: events?.pending ?? 0,
      retrying: events?.retrying ?? 0,
      delivered: events?.delivered ?? 0,
      failed: events?.failed ?? 0,
      without_endpoint: events?.without_endpoint ?? 0,
    },
  };
}

/** SQL condition: the last change of a file `f` made a live ride readable. Edits and redecoded files do not match. */
const IMPORTED_LIVE = "f.status = 'imported' AND f.priority > 0 AND f.updated_batch = f.outcome_batch";

async function countFiles(
  database: D1Database,
  partnerId: string,
  since: number,
): Promise<D1Result<FileCount>> {
  return database
    .prepare(
      // The list is limited before the files are looked up: older batches also list files that were pinged again.
      `${newestOf(
        `SELECT b.batch_id, ${listedId()} AS file_id
         FROM file_batches b INDEXED BY file_batches_by_receipt CROSS JOIN json_each(b.file_ids) j
         WHERE b.partner_id = ?1 AND b.received_at >= ?2 ORDER BY b.received_at DESC`,
      )}
       SELECT f.received_at / ${DAY_MS} AS day, ${READ_STATUS} AS status,
         CASE WHEN f.status = 'failed' THEN f.error ->> 'code' END AS code, count(*) AS files,
         min(f.received_at) AS oldest, (SELECT count(*) FROM found) AS found,
         json_group_array(max(0, f.updated_at - f.received_at)) FILTER (WHERE ${IMPORTED_LIVE}) AS waits
       FROM newest n LEFT JOIN files f
         ON f.partner_id = ?1 AND f.file_id = n.file_id AND f.received_batch = n.batch_id
       GROUP BY 1, 2, 3`,
    )
    .bind(partnerId, since, MAX_COUNTED.files)
    .all<FileCount>();
}

async function countImports(database: D1Database, partnerId: string, since: number) {
  return database
    .prepare(
      `${newestOf(
        `SELECT status FROM imports WHERE partner_id = ?1 AND requested_at >= ?2
         ORDER BY requested_at DESC, import_id DESC`,
      )}
       SELECT (SELECT count(*) FROM found) AS found, coalesce(sum(status = 'running'), 0) AS running FROM newest`,
    )
    .bind(partnerId, since, MAX_COUNTED.imports)
    .all<{ found: number; running: number }>();
}

async function countEvents(database: D1Database, partnerId: string, since: number) {
  // A test event with a wrong signature counts as delivered when its receiver rejected it.
  const number = (condition: string) => `coalesce(sum(${condition} AND type <> '${FORGED}'), 0)`;
  return database
    .prepare(
      `${newestOf(
        `SELECT type, status, attempt_count, endpoint_id FROM deliveries
         WHERE partner_id = ?1 AND kind = 'event' AND created_at >= ?2
         ORDER BY created_at DESC, delivery_id DESC`,
      )}
       SELECT (SELECT count(*) FROM found) AS found, ${number("status = 'failed'")} AS failed,
         ${number(`status = 'failed' AND endpoint_id NOT IN (${ENDPOINT_IDS})`)} AS without_endpoint,
         ${number("status IN ('pending', 'waiting')")} AS pending,
         ${number("status = 'pending' AND attempt_count > 0")} AS retrying,
         ${number("status = 'delivered'")} AS delivered
       FROM newest`,
    )
    .bind(partnerId, since, MAX_COUNTED.events)
    .all<{ found: number } & Overview["events"]>();
}

/** Sums the files since `firstDay`: in total, by day, and the failed ones by code, the most frequent code first. */
function filesByDay(
  counts: readonly FileCount[],
  firstDay: number,
): Pick<Overview, "files" | "days" | "failures"> {
  const total = noFiles();
  const days = Array.from({ length: OVERVIEW_DAYS }, (_, index) => ({
    day: dateOf(firstDay + index),
    ...noFiles(),
  }));
  const failures = new Map<FileErrorCode, number>();
  for (const row of counts) {
    if (row.status === null || row.day < firstDay) continue;
    total[row.status] += row.files;
    // A receipt time ahead of this clock counts as today.
    const day = days[Math.min(OVERVIEW_DAYS - 1, row.day - firstDay)];
    if (day !== undefined) day[row.status] += row.files;
    if (row.code !== null) failures.set(row.code, (failures.get(row.code) ?? 0) + row.files);
  }
  return {
    files: total,
    days,
    failures: [...failures]
      .map(([code, files]) => ({ code, files }))
      .sort((a, b) => b.files - a.files || (a.code < b.code ? -1 : 1)),
  };
}

const waitsColumn = z.array(z.number());

/** Returns the median time from the ping of a live ride until it could be read, of the files received since `firstDay`. */
function timeToReadable(counts: readonly FileCount[], firstDay: number): Overview["time_to_readable"] {
  const waits = counts.flatMap((row) => (row.day < firstDay ? [] : parseColumn(waitsColumn, row.waits)));
  const median = waits.sort((a, b) => a - b)[(waits.length - 1) >> 1];
  return { files: waits.length, median_in_seconds: median === undefined ? null : median / 1000 };
}

function heldFiles(counts: readonly FileCount[]): Overview["held"] {
  const held = counts.filter((row) => row.status === "held");
  return {
    files: held.reduce((sum, row) => sum + row.files, 0),
    oldest_received_at: held.length === 0 ? null : instantOf(Math.min(...held.map((row) => row.oldest))),
  };
}
