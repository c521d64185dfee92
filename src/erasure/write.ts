import { z } from "zod";
import { EVENT_PREFIX, PLAN_PREFIX } from "../deliveries/ids.ts";
import { listedId } from "../files/batches/listed.pure.ts";
import { removeFiles } from "../files/removals/write.ts";
import { rangeEnd, ROUTE_LENGTH } from "../identifiers.ts";
import { USER_ERASED } from "../endpoints/endpoint.ts";
import { subscribers } from "../endpoints/subscribers.ts";
import { DATABASE_NOW } from "../database/sql.ts";
import { BEGIN_ERASURE, ERASURE_COLUMNS, erasureValues, SWEEPS, type ErasedUser } from "./begin.ts";

/**
 * Steps of a sweep, in order. Each may rely on the earlier steps' rows being deleted. The user's sources come first:
 * their collectors must know of the erasure before other rows of the user are deleted.
 */
export const STEPS = ["sources", "files", "file_batches", "imports", "events", "plans", "objects"] as const;
export type Step = (typeof STEPS)[number];

const erasureSchema = z.object({
  partner_id: z.string(),
  user_hash: z.string(),
  /** No version up to this one may be stored. */
  before_version: z.number(),
  user_id: z.string(),
  sweeps_left: z.number(),
  step: z.enum(STEPS).nullable(),
  after_id: z.string(),
});
export type Erasure = z.infer<typeof erasureSchema>;

/** Begins an erasure of a user up to now, or further. Returns null when the user is unknown. */
export async function beginErasure(
  db: D1Database,
  partnerId: string,
  user: ErasedUser,
  boundMs: number,
): Promise<Erasure | null> {
  const row = await db
    .prepare(BEGIN_ERASURE)
    .bind(...erasureValues(partnerId, user, boundMs))
    .first();
  return row === null ? null : erasureSchema.parse(row);
}

/**
 * Returns the statement that schedules one more sweep, after work in flight has ended. A collector that the erasure did
 * not find may have had objects stored. The statement changes nothing while a sweep is scheduled.
 */
export function sweepAgain(
  db: D1Database,
  partnerId: string,
  { user_id, user_hash }: ErasedUser,
  nowMs: number,
): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE erased SET user_id = ?3, next_sweep_at = ?4, sweeps_left = 1, step = NULL, after_id = ''
       WHERE partner_id = ?1 AND user_hash = ?2 AND next_sweep_at IS NULL`,
    )
    .bind(partnerId, user_hash, user_id, nowMs + NEXT_SWEEP_AFTER_MS);
}

/** Pause before a failed or incomplete sweep is due again: shorter than the clock's minute. */
const SWEEP_AGAIN_AFTER_MS = 30_000;
/** Pause between two sweeps: longer than the 15 minutes that a consumer may run. */
export const NEXT_SWEEP_AFTER_MS = 20 * 60_000;

/**
 * Returns at most `limit` erasures with a due sweep, and postpones them for `SWEEP_AGAIN_AFTER_MS`. Partners take turns,
 * each with its longest due first, so the many erasures of one partner neither delay another's nor are all read.
 */
export async function claimDueErasures(db: D1Database, nowMs: number, limit: number): Promise<Erasure[]> {
  const found = await db
    .prepare(
      `UPDATE erased SET next_sweep_at = ?2 WHERE (partner_id, user_hash) IN (
         WITH RECURSIVE partners (id) AS (
           SELECT min(partner_id) FROM erased WHERE next_sweep_at IS NOT NULL
           UNION ALL
           SELECT (SELECT min(partner_id) FROM erased WHERE next_sweep_at IS NOT NULL AND partner_id > partners.id)
           FROM partners WHERE partners.id IS NOT NULL)
         SELECT partner_id, user_hash FROM (
           SELECT e.partner_id, e.user_hash, e.next_sweep_at,
             row_number() OVER (PARTITION BY e.partner_id ORDER BY e.next_sweep_at) AS turn
           FROM partners CROSS JOIN erased e ON e.partner_id = partners.id AND e.user_hash IN (
             SELECT d.user_hash FROM erased d INDEXED BY erased_due
             WHERE d.partner_id = partners.id AND d.next_sweep_at IS NOT NULL AND d.next_sweep_at <= ?1
             ORDER BY d.next_sweep_at LIMIT ?3))
         ORDER BY turn, next_sweep_at LIMIT ?3)
       RETURNING ${ERASURE_COLUMNS}`,
    )
    .bind(nowMs, nowMs + SWEEP_AGAIN_AFTER_MS, limit)
    .all();
  return z.array(erasureSchema).parse(found.results);
}

/** A range of the user's ids that a step may delete: after one id, up to and including another. */
export interface IdRange {
  after: string;
  through: string;
}

/** Returns the rest of a step after the last id that it has handled. An empty id means that it has handled none. */
export function rangeAfter(erasure: Erasure, step: keyof typeof ID_PREFIXES, afterId: string): IdRange {
  const prefix = ID_PREFIXES[step] + erasure.user_hash.slice(0, ROUTE_LENGTH);
  return { after: afterId === "" ? prefix : afterId, through: rangeEnd(prefix) };
}

/** Prefixes of ids, before their user's route. */
const ID_PREFIXES = {
  files: "",
  file_batches: "",
  imports: "",
  events: EVENT_PREFIX,
  plans: PLAN_PREFIX,
} as const satisfies Partial<Record<Step, string>>;

/** Returns the SQL condition for the user's rows of a range. Bind `rangeValues`. */
const inRange = (id: string) => `partner_id = ?1 AND ${id} > ?2 AND ${id} <= ?3 AND user_id = ?4`;

function rangeValues(
  erasure: Erasure,
  { after, through }: IdRange,
): [string, string, string, string, number] {
  return [erasure.partner_id, after, through, erasure.user_id, erasure.before_version];
}

/**
 * Returns the statement that deletes sources with empty collectors. A source that was pinged again since has a later
 * version, and stays.
 */
export function deleteSources(
  db: D1Database,
  { partner_id, user_id, before_version }: Erasure,
  sources: readonly string[],
): D1PreparedStatement {
  return db
    .prepare(
      `DELETE FROM user_sources WHERE partner_id = ?1 AND user_id = ?2 AND version <= ?3
         AND source IN (SELECT value FROM json_each(?4))`,
    )
    .bind(partner_id, user_id, before_version, JSON.stringify(sources));
}

const fileRows = z.array(
  z.object({
    file_id: z.string(),
    activity_count: z.number(),
    /** Keys of the objects to delete. */
    readable: z.string().nullable(),
    failed: z.string().nullable(),
  }),
);
export type FileToErase = z.infer<typeof fileRows>[number];

/** Reads the range's first files, including files that stay because they were pinged again. */
export async function readFiles(
  db: D1Database,
  erasure: Erasure,
  range: IdRange,
  limit: number,
): Promise<FileToErase[]> {
  const found = await db
    .prepare(
      `SELECT file_id, activity_count,
         CASE WHEN stored_version <= ?5 THEN object_key END AS readable,
         CASE WHEN failed_version <= ?5 THEN failed_object_key END AS failed
       FROM files WHERE ${inRange("file_id")} ORDER BY file_id LIMIT ?6`,
    )
    .bind(...rangeValues(erasure, range), limit)
    .all();
  return fileRows.parse(found.results);
}

/** Returns statements that delete the range's files up to the bound, and their activities. */
export function deleteFiles(db: D1Database, erasure: Erasure, range: IdRange): D1PreparedStatement[] {
  const from = `files f WHERE ${inRange("file_id")}`;
  return removeFiles(db, { from, bound: "?5", values: rangeValues(erasure, range) });
}

/** Returns the statement that counts files and activities for the receipt. Run it before those that delete them. */
export function countFiles(db: D1Database, erasure: Erasure, range: IdRange): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE erased SET
         erased_files = erased_files + (SELECT count(*) FROM files WHERE ${inRange("file_id")} AND version <= ?5),
         erased_activities = erased_activities + (
           SELECT count(*) FROM activities a WHERE a.partner_id = ?1 AND a.file_id > ?2 AND a.file_id <= ?3 AND a.version <= ?5
             AND EXISTS (SELECT 1 FROM files f WHERE f.partner_id = ?1 AND f.file_id = a.file_id AND f.user_id = ?4))
       WHERE partner_id = ?1 AND user_hash = ?6 AND sweeps_left = ${SWEEPS}`,
    )
    .bind(...rangeValues(erasure, range), erasure.user_hash);
}

/** Returns the statement that counts imports for the receipt. Run it before those that delete them. */
export function countImports(db: D1Database, erasure: Erasure, range: IdRange): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE erased SET erased_imports = erased_imports + (
         SELECT count(*) FROM imports WHERE ${inRange("import_id")} AND requested_at <= ?5)
       WHERE partner_id = ?1 AND user_hash = ?6 AND sweeps_left = ${SWEEPS}`,
    )
    .bind(...rangeValues(erasure, range), erasure.user_hash);
}

/** SQL for a batch's name among the user's batches, in the order of the table. */
const BATCH_ID = "updated_at || '/' || first_file_id || '/' || batch_id";
const BATCHES_IN_RANGE = `partner_id = ?1 AND user_route = ?2
  AND (updated_at, first_file_id, batch_id) > (?3, ?4, ?5) AND (updated_at, first_file_id, batch_id) <= (?6, ?7, ?8)`;

/** Returns the values of the range. Its ends are names of batches, or the defaults of `rangeAfter`. */
function batchValues(erasure: Erasure, { after, through }: IdRange): (string | number)[] {
  const bound = (name: string, otherwise: number) => {
    const [updatedAt, firstFileId, batchId] = name.split("/");
    return batchId === undefined ? [otherwise, "", ""] : [Number(updatedAt), firstFileId ?? "", batchId];
  };
  const route = erasure.user_hash.slice(0, ROUTE_LENGTH);
  return [erasure.partner_id, route, ...bound(after, -1), ...bound(through, Number.MAX_SAFE_INTEGER)];
}

const batchRows = z.array(z.object({ batch_id: z.string(), files: z.number() }));
export type BatchToErase = z.infer<typeof batchRows>[number];

/** Reads the range's first batches, each with its number of files. */
export async function readBatches(
  db: D1Database,
  erasure: Erasure,
  range: IdRange,
  limit: number,
): Promise<BatchToErase[]> {
  const found = await db
    .prepare(
      `SELECT ${BATCH_ID} AS batch_id, json_array_length(file_ids) AS files
       FROM file_batches WHERE ${BATCHES_IN_RANGE} ORDER BY updated_at, first_file_id, batch_id LIMIT ?9`,
    )
    .bind(...batchValues(erasure, range), limit)
    .all();
  return batchRows.parse(found.results);
}

/** Returns the statement that deletes the range's batches without remaining files. Batches that list removals stay. */
export function deleteBatches(db: D1Database, erasure: Erasure, range: IdRange): D1PreparedStatement {
  return db
    .prepare(
      `DELETE FROM file_batches WHERE ${BATCHES_IN_RANGE} AND removed IS NULL
         AND NOT EXISTS (SELECT 1 FROM json_each(file_ids) j
           CROSS JOIN files f ON f.partner_id = ?1 AND f.file_id = ${listedId("file_batches")})`,
    )
    .bind(...batchValues(erasure, range));
}

const importRows = z.array(z.object({ import_id: z.string() }));

/** Reads the ids of the range's first imports, including imports that stay because they were requested later. */
export async function readImports(
  db: D1Database,
  erasure: Erasure,
  range: IdRange,
  limit: number,
): Promise<string[]> {
  const { partner_id, user_id } = erasure;
  const found = await db
    .prepare(`SELECT import_id FROM imports WHERE ${inRange("import_id")} ORDER BY import_id LIMIT ?5`)
    .bind(partner_id, range.after, range.through, user_id, limit)
    .all();
  return importRows.parse(found.results).map((row) => row.import_id);
}

/** Returns statements that delete the range's imports up to the bound. */
export function deleteImports(db: D1Database, erasure: Erasure, range: IdRange): D1PreparedStatement[] {
  return [
    `DELETE FROM import_missing WHERE partner_id = ?1 AND import_id > ?2 AND import_id <= ?3
       AND import_id IN (SELECT import_id FROM imports WHERE ${inRange("import_id")} AND requested_at <= ?5)`,
    `DELETE FROM imports WHERE ${inRange("import_id")} AND requested_at <= ?5`,
  ].map((sql) => db.prepare(sql).bind(...rangeValues(erasure, range)));
}

const deliveryRows = z.array(z.object({ delivery_id: z.string() }));

/** Reads the ids of the range's first deliveries. */
export async function readDeliveries(
  db: D1Database,
  erasure: Erasure,
  range: IdRange,
  limit: number,
): Promise<string[]> {
  const { partner_id, user_id } = erasure;
  const found = await db
    .prepare(
      `SELECT delivery_id FROM deliveries WHERE ${inRange("delivery_id")} ORDER BY delivery_id LIMIT ?5`,
    )
    .bind(partner_id, range.after, range.through, user_id, limit)
    .all();
  return deliveryRows.parse(found.results).map((row) => row.delivery_id);
}

/**
 * Returns the statement that deletes the range's deliveries of deleted imports. A delivery's own time does not decide:
 * an import from before the bound may create a delivery after it.
 */
export function deleteDeliveries(db: D1Database, erasure: Erasure, range: IdRange): D1PreparedStatement {
  const { partner_id, user_id } = erasure;
  return db
    .prepare(
      `DELETE FROM deliveries WHERE ${inRange("delivery_id")} AND NOT EXISTS (
         SELECT 1 FROM imports i WHERE i.partner_id = ?1 AND i.import_id = deliveries.import_id)`,
    )
    .bind(partner_id, range.after, range.through, user_id);
}

/** SQL condition: no other run has completed this sweep, and no repeated erasure has restarted it. */
const SAME_SWEEP = "partner_id = ?1 AND user_hash = ?2 AND before_version = ?3 AND sweeps_left = ?4";

function sweepValues({ partner_id, user_hash, before_version, sweeps_left }: Erasure) {
  return [partner_id, user_hash, before_version, sweeps_left] as const;
}

/**
 * Returns the statement that saves the sweep's position. It also moves the erasure behind those that the run has not
 * reached.
 */
export function saveProgress(db: D1Database, erasure: Erasure): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE erased SET step = ?5, after_id = ?6, next_sweep_at = next_sweep_at + 1 WHERE ${SAME_SWEEP}`,
    )
    .bind(...sweepValues(erasure), erasure.step, erasure.after_id);
}

/**
 * Returns statements that complete a sweep: they delete the user if it has no files, store the receipt of the first sweep
 * for each endpoint that wants it, and schedule the next sweep or end the erasure.
 */
export function completeSweep(
  db: D1Database,
  erasure: Erasure,
  receiptId: string,
  nowMs: number,
): D1PreparedStatement[] {
  const { after, through } = rangeAfter(erasure, "files", "");
  const last = erasure.sweeps_left <= 1;
  return [
    db
      .prepare(
        `DELETE FROM users WHERE partner_id = ?1 AND user_id = ?4 AND NOT EXISTS (
           SELECT 1 FROM files WHERE ${inRange("file_id")})`,
      )
      .bind(erasure.partner_id, after, through, erasure.user_id),
    db
      .prepare(
        `INSERT INTO deliveries (partner_id, delivery_id, endpoint_id, kind, type, body, status, next_attempt_at, created_at,
           updated_at)
         SELECT ?1, CASE WHEN s.n = 1 THEN ?5 ELSE ?5 || '_' || s.endpoint_id END, s.endpoint_id, 'event', '${USER_ERASED}',
           json_object('type', '${USER_ERASED}', 'timestamp', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
             'data', json_object('user_id', e.user_id, 'files', e.erased_files, 'activities', e.erased_activities,
               'imports', e.erased_imports)),
           'pending', ${DATABASE_NOW}, ${DATABASE_NOW}, ${DATABASE_NOW}
         FROM (${subscribers(USER_ERASED)}) s
         CROSS JOIN (SELECT * FROM erased WHERE ${SAME_SWEEP} AND sweeps_left = ${SWEEPS}) e`,
      )
      .bind(...sweepValues(erasure), receiptId),
    // Until the first sweep is complete, a collector may have accepted a ping as a duplicate of an erased one.
    db
      .prepare(
        `UPDATE erased SET sweeps_left = sweeps_left - 1, next_sweep_at = ?5, step = NULL, after_id = '',
           answers_void_until = CASE WHEN sweeps_left = ${SWEEPS} THEN ${DATABASE_NOW} ELSE answers_void_until END,
           user_id = CASE WHEN ?5 IS NOT NULL THEN user_id END, erased_files = 0, erased_activities = 0, erased_imports = 0
         WHERE ${SAME_SWEEP}`,
      )
      .bind(...sweepValues(erasure), last ? null : nowMs + NEXT_SWEEP_AFTER_MS),
  ];
}

/** Deletes at most `limit` completed erasures up to this bound (Unix milliseconds), oldest first. Returns how many. */
export async function deleteExpiredErasures(
  db: D1Database,
  throughMs: number,
  limit: number,
): Promise<number> {
  const { meta } = await db
    .prepare(
      `DELETE FROM erased WHERE (partner_id, user_hash) IN (
         SELECT partner_id, user_hash FROM erased WHERE next_sweep_at IS NULL AND before_version <= ?
         ORDER BY before_version LIMIT ?)`,
    )
    .bind(throughMs, limit)
    .run();
  return meta.changes;
}
