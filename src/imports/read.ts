import { z } from "@hono/zod-openapi";
import type { ReadImport } from "../collector/calls.ts";
import { collectorOfId } from "../collector/client.ts";
import { databaseFor } from "../database/databases.ts";
import { visibleEventStatus, type DeliveryStatus } from "../deliveries/event.ts";
import { EVENT_PREFIX, PLAN_PREFIX } from "../deliveries/ids.ts";
import type { Env } from "../env.ts";
import { idPrefix, isId, rangeEnd } from "../identifiers.ts";
import { instantOf, parseColumn } from "../database/rows.ts";
import { DATABASE_NOW, Where } from "../database/sql.ts";
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
import { IMPORT_COMPLETED } from "../endpoints/endpoint.ts";
import { wantsType } from "../endpoints/subscribers.ts";
import type { Partner } from "../partners/partner.ts";
import { IMPORT_COUNTS, importFilesOf, type ImportCounts } from "./counts.pure.ts";
import { type Import, type ImportStatus } from "./import.ts";
import { importWarnings, receiverWarningOf, type ReceiverWarning } from "./warnings.pure.ts";
import type { ImportProjection } from "./write.ts";

export interface ImportRow extends ImportCounts {
  import_id: string;
  user_id: string;
  source: string;
  is_initial_import: 0 | 1;
  event_id: string | null;
  status: ImportStatus;
  requested_at: number;
  updated_at: number;
  completed_at: number | null;
  held_under_other_source: string | null;
  plan_status: DeliveryStatus | null;
  event_status: DeliveryStatus | null;
  event_attempts: number | null;
  /** Whether an endpoint of the partner's own that receives events of completed imports is verified. Null without one. */
  has_verified_endpoint: 0 | 1 | null;
}

const COUNTS = IMPORT_COUNTS.map((count) => `i.${count}`).join(", ");

/** SQL for the columns of an import `i` with `IMPORT_DELIVERIES`. */
export const IMPORT_COLUMNS = `i.import_id, i.user_id, i.source, i.is_initial_import, i.event_id, i.status, ${COUNTS},
    i.requested_at, i.updated_at, i.completed_at, i.held_under_other_source, plan.status AS plan_status, event.status AS event_status, event.attempt_count AS event_attempts,
    CASE WHEN i.event_id IS NOT NULL THEN (SELECT max(e.verified_at IS NOT NULL) FROM endpoints e
      WHERE e.partner_id = i.partner_id AND e.deleted_at IS NULL AND ${wantsType(`'${IMPORT_COMPLETED}'`)}) END AS has_verified_endpoint`;

/** Joins the plan request and the event of an import `i`. */
export const IMPORT_DELIVERIES = `LEFT JOIN deliveries plan ON plan.partner_id = i.partner_id AND plan.delivery_id = '${PLAN_PREFIX}' || i.import_id
  LEFT JOIN deliveries event ON event.partner_id = i.partner_id AND event.delivery_id = '${EVENT_PREFIX}' || i.import_id`;

const namesColumn = z.array(z.string());

function planStatus(status: DeliveryStatus): "requested" | "delivered" | "failed" {
  return status === "delivered" || status === "failed" ? status : "requested";
}

/** Fields of a partner that the JSON of its imports depends on. */
type PartnerView = Pick<Partner, "partner_id" | "database" | "event_url">;

/** Returns an import as its collector stores it, while the read model cannot be read. */
export function importOfProjection(partner: PartnerView, row: ImportProjection): Import {
  const others = row.held_under_other_source ?? null;
  return importOf(partner, {
    ...row,
    is_initial_import: row.is_initial_import ? 1 : 0,
    held_under_other_source: others === null ? null : JSON.stringify(others),
    updated_at: Date.now(),
    plan_status: null,
    event_status: null,
    event_attempts: null,
    // Unknown, so no warning.
    has_verified_endpoint: 1,
  });
}

/** Returns the warning about the receiver of an import's event that is not delivered, or null. */
function receiverWarning(
  { event_url }: PartnerView,
  { event_id, event_status, has_verified_endpoint }: ImportRow,
): ReceiverWarning | null {
  if (event_id === null || event_status === "delivered") return null;
  return receiverWarningOf(event_url, has_verified_endpoint === null ? null : has_verified_endpoint === 1);
}

/** Returns an import of a row of `IMPORT_COLUMNS`. */
export function importOf(partner: PartnerView, row: ImportRow): Import {
  const others =
    row.held_under_other_source === null ? null : parseColumn(namesColumn, row.held_under_other_source);
  return {
    import_id: row.import_id,
    user_id: row.user_id,
    source: row.source,
    is_initial_import: row.is_initial_import === 1,
    event_id: row.event_id,
    status: row.status,
    files: importFilesOf(row),
    repeated: false,
    ...importWarnings({ total: row.total, held_under_other_source: others }, receiverWarning(partner, row)),
    requested_at: instantOf(row.requested_at),
    updated_at: instantOf(row.updated_at),
    completed_at: row.completed_at === null ? null : instantOf(row.completed_at),
    training_plan: row.plan_status === null ? null : { status: planStatus(row.plan_status) },
    event:
      row.event_status === null
        ? null
        : { status: visibleEventStatus(row.event_status), attempts: row.event_attempts ?? 0 },
  };
}

/** Returns the current counts and status of an import from its collector. Null when the collector cannot be reached. */
async function liveCounts(env: Env, partnerId: string, importId: string): Promise<ReadImport | null> {
  try {
    return await collectorOfId(env, partnerId, importId).readImport(importId);
  } catch {
    // The caller uses the read model's counts, which are seconds older.
    return null;
  }
}

export async function readImport(env: Env, partner: PartnerView, importId: string): Promise<Import | null> {
  if (!isId(importId)) return null;
  const partnerId = partner.partner_id;
  const database = databaseFor(env, partner);
  const [row, missing] = await Promise.all([
    database
      .prepare(
        `SELECT ${IMPORT_COLUMNS} FROM imports i ${IMPORT_DELIVERIES} WHERE i.partner_id = ? AND i.import_id = ?`,
      )
      .bind(partnerId, importId)
      .first<ImportRow>(),
    database
      .prepare("SELECT summary_ids FROM import_missing WHERE partner_id = ? AND import_id = ? ORDER BY slice")
      .bind(partnerId, importId)
      .all<{ summary_ids: string }>(),
  ]);
  if (row === null) return null;
  const live = row.completed_at === null ? await liveCounts(env, partnerId, importId) : null;
  const slices = missing.results.map((slice) => parseColumn(namesColumn, slice.summary_ids));
  return {
    ...importOf(partner, row),
    ...(slices.length === 0 ? {} : { missing_summary_ids: slices.flat() }),
    ...(live === null ? {} : { files: importFilesOf(live) }),
    // The collector completes an import before its event can be read. Only a cancellation shows at once.
    ...(live?.status === "cancelled" ? { status: live.status } : {}),
  };
}

export interface ImportFilters {
  user_id?: string | undefined;
  source?: string | undefined;
  status?: ImportStatus | undefined;
  /** Unix milliseconds. Orders imports by update, ascending. */
  updated_since?: number | undefined;
}

/** The time (requested_at, or updated_at with updated_since) in Unix milliseconds and the id of the last row. */
export type ImportPosition = [timeMs: number, importId: string];

/** Maximum number of imports that one page skips. */
const IMPORTS_TO_WALK = 2_000;
/** Maximum number of a user's imports that a page sorts. With more, the page walks the partner's index. */
const SORTED_IMPORTS = 3_000;

interface ImportList {
  db: D1Database;
  partnerId: string;
  prefix: string | null;
  filters: ImportFilters;
}

interface PageOfList {
  limit: number;
  after: ImportPosition | null;
}

/** Order of a list: newest first, or with `updated_since` ascending by update. */
interface Order {
  column: "requested_at" | "updated_at";
  index: string;
  way: "ASC" | "DESC";
}

function orderOf({ updated_since }: ImportFilters): Order {
  return updated_since === undefined
    ? { column: "requested_at", index: "imports_by_request", way: "DESC" }
    : { column: "updated_at", index: "imports_by_update", way: "ASC" };
}

/** Returns the condition of a list on an import `alias`: after the position, else at or after `updated_since`. */
function inOrder(where: Where, alias: string, filters: ImportFilters, after: ImportPosition | null): Where {
  const { column, way } = orderOf(filters);
  const time = `${alias}.${column}`;
  if (after !== null)
    where.and(`(${time}, ${alias}.import_id) ${way === "ASC" ? ">" : "<"} (?, ?)`, ...after);
  else if (filters.updated_since !== undefined) where.and(`${time} >= ?`, filters.updated_since);
  // Exclude the current millisecond: more rows with that time may still be written.
  return filters.updated_since === undefined ? where : where.and(`${time} < ${DATABASE_NOW}`);
}

/**
 * Returns at most `limit` imports after the position: newest first, or with `updated_since` ascending by update. The list omits missing ids, of which an import may
 * have 20,000. Running imports have the counts of their last projection. A page skips a bounded number of imports that
 * the filters exclude, so it may be short although more follow.
 */
export async function listImports(
  env: Env,
  partner: PartnerView,
  filters: ImportFilters,
  page: PageOfList,
): Promise<Page<Import, ImportPosition>> {
  const partnerId = partner.partner_id;
  const { user_id, source } = filters;
  const prefix = user_id === undefined ? null : idPrefix(partnerId, user_id, source);
  const list = { db: databaseFor(env, partner), partnerId, prefix, filters };
  const sorted = prefix === null ? NOT_SORTED : await sortedPage(list, prefix, page);
  const found =
    sorted.page ??
    (await readPage<WalkedImport, ImportPosition>(
      { ...page, rowsToWalk: IMPORTS_TO_WALK, rowsReadBefore: sorted.rowsRead },
      async (after, bounds) => walkImports(list, after, bounds),
      (row) => [row.walked_time, row.walked_id],
    ));
  return { ...found, rows: found.rows.map((row) => importOf(partner, row)) };
}

interface SortedImport extends ImportRow {
  few: 0 | 1;
}

/** Returns no page for a user with too many imports to sort. */
async function sortedPage(
  { db, partnerId, filters }: ImportList,
  prefix: string,
  { limit, after }: PageOfList,
): Promise<SortedPage<ImportRow, ImportPosition>> {
  const range = new Where()
    .and("i.partner_id = ?", partnerId)
    .and("i.import_id >= ? AND i.import_id < ?", prefix, rangeEnd(prefix));
  const { column, way } = orderOf(filters);
  const where = inOrder(filtered(new Where().and("true"), filters), "i", filters, after);
  const few = { from: "imports i", where: range.sql, most: SORTED_IMPORTS };
  const select = `SELECT ${IMPORT_COLUMNS} FROM (
      SELECT * FROM ${FEW} i WHERE ${where.sql} ORDER BY i.${column} ${way}, i.import_id ${way} LIMIT ?) i
    ${IMPORT_DELIVERIES}`;
  const found = await db
    .prepare(`${sortedIfFew(few, select)} ORDER BY ${column} ${way}, import_id ${way}`)
    .bind(...range.values, ...range.values, ...where.values, limit + 1)
    .all<SortedImport>();
  if (found.results[0]?.few === 0) return { page: null, rowsRead: found.meta.rows_read };
  const rows = found.results.filter((row) => row.import_id !== null);
  const positionOf = (row: ImportRow): ImportPosition => [row[column], row.import_id];
  return { page: pageOfSorted(rows, limit, found.meta, positionOf), rowsRead: found.meta.rows_read };
}

interface WalkedImport extends ImportRow, Walked {
  walked_time: number;
  walked_id: string;
}

async function walkImports(
  { db, partnerId, prefix, filters }: ImportList,
  after: ImportPosition | null,
  { rows, matches }: WalkBounds,
): Promise<D1Result<WalkedImport>> {
  const { column, index, way } = orderOf(filters);
  const walk = inOrder(new Where().and("r.partner_id = ?", partnerId), "r", filters, after);
  const select = `SELECT r.${column} AS time, r.import_id FROM imports r INDEXED BY ${index}
    WHERE ${walk.sql} ORDER BY r.${column} ${way}, r.import_id ${way}`;
  const on = new Where().and("i.partner_id = ? AND i.import_id = w.import_id", partnerId);
  if (prefix !== null) on.and("w.import_id >= ? AND w.import_id < ?", prefix, rangeEnd(prefix));
  filtered(on, filters);
  return db
    .prepare(
      `SELECT i.walked_time, i.walked_id, i.is_match, i.is_end, ${IMPORT_COLUMNS} FROM (
         SELECT w.n, w.time AS walked_time, w.import_id AS walked_id, i.import_id IS NOT NULL AS is_match,
           w.n = ?1 AS is_end, i.*
         FROM ${walked(select)} LEFT JOIN imports i ON ${on.sql}
         WHERE i.import_id IS NOT NULL OR w.n = ?1 ORDER BY w.n LIMIT ?) i
       ${IMPORT_DELIVERIES} ORDER BY i.n`,
    )
    .bind(rows, ...walk.values, rows, ...on.values, matches)
    .all<WalkedImport>();
}

/** Adds the filters as conditions on an import `i`. */
function filtered(where: Where, { user_id, source, status }: ImportFilters): Where {
  return where.andEqual("i.user_id", user_id).andEqual("i.source", source).andEqual("i.status", status);
}
