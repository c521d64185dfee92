import { z } from "@hono/zod-openapi";
import { collectorOfId } from "../collector/client.ts";
import { databaseFor } from "../database/databases.ts";
import { visibleEventStatus, type DeliveryStatus } from "../deliveries/event.ts";
import { EVENT_PREFIX, PLAN_PREFIX } from "../deliveries/ids.ts";
import type { Env } from "../env.ts";
import { idPrefix, isId, rangeEnd } from "../identifiers.ts";
import { instantOf, parseColumn } from "../database/rows.ts";
import { Where } from "../database/sql.ts";
import type { Partner } from "../partners/partner.ts";
import { IMPORT_COUNTS, importFilesOf, type ImportCounts } from "./counts.pure.ts";
import { NO_EVENT_URL, type Import, type ImportStatus } from "./import.ts";

interface ImportRow extends ImportCounts {
  import_id: string;
  user_id: string;
  source: string;
  is_initial_import: 0 | 1;
  event_id: string | null;
  status: ImportStatus;
  requested_at: number;
  completed_at: number | null;
  plan_status: DeliveryStatus | null;
  event_status: DeliveryStatus | null;
  event_attempts: number | null;
}

const COUNTS = IMPORT_COUNTS.map((count) => `i.${count}`).join(", ");

const IMPORTS = `SELECT i.import_id, i.user_id, i.source, i.is_initial_import, i.event_id, i.status, ${COUNTS},
    i.requested_at, i.completed_at, plan.status AS plan_status, event.status AS event_status, event.attempt_count AS event_attempts
  FROM imports i
  LEFT JOIN deliveries plan ON plan.partner_id = i.partner_id AND plan.delivery_id = '${PLAN_PREFIX}' || i.import_id
  LEFT JOIN deliveries event ON event.partner_id = i.partner_id AND event.delivery_id = '${EVENT_PREFIX}' || i.import_id`;

const missingColumn = z.array(z.string());

function planStatus(status: DeliveryStatus): "requested" | "delivered" | "failed" {
  return status === "delivered" || status === "failed" ? status : "requested";
}

/** Settings of a partner that its imports' answers depend on. */
type PartnerView = Pick<Partner, "partner_id" | "event_url">;

function importOf(partner: PartnerView, row: ImportRow): Import {
  const unsendable = row.event_id !== null && row.event_status !== "delivered" && partner.event_url === null;
  return {
    import_id: row.import_id,
    user_id: row.user_id,
    source: row.source,
    is_initial_import: row.is_initial_import === 1,
    event_id: row.event_id,
    status: row.status,
    files: importFilesOf(row),
    repeated: false,
    warnings: unsendable ? [NO_EVENT_URL] : [],
    requested_at: instantOf(row.requested_at),
    completed_at: row.completed_at === null ? null : instantOf(row.completed_at),
    training_plan: row.plan_status === null ? null : { status: planStatus(row.plan_status) },
    event:
      row.event_status === null
        ? null
        : { status: visibleEventStatus(row.event_status), attempts: row.event_attempts ?? 0 },
  };
}

/** Reads the current counts of a running import from its collector; null when that cannot be reached. */
async function liveCounts(env: Env, partnerId: string, importId: string): Promise<ImportCounts | null> {
  try {
    return await collectorOfId(env, partnerId, importId).readImport(importId);
  } catch {
    // Use the counts of the read model: they are only a little older.
    return null;
  }
}

export async function readImport(env: Env, partner: PartnerView, importId: string): Promise<Import | null> {
  if (!isId(importId)) return null;
  const partnerId = partner.partner_id;
  const database = databaseFor(env, partnerId);
  const [row, missing] = await Promise.all([
    database
      .prepare(`${IMPORTS} WHERE i.partner_id = ? AND i.import_id = ?`)
      .bind(partnerId, importId)
      .first<ImportRow>(),
    database
      .prepare("SELECT summary_ids FROM import_missing WHERE partner_id = ? AND import_id = ? ORDER BY slice")
      .bind(partnerId, importId)
      .all<{ summary_ids: string }>(),
  ]);
  if (row === null) return null;
  const counts = row.status === "running" ? await liveCounts(env, partnerId, importId) : null;
  const slices = missing.results.map((slice) => parseColumn(missingColumn, slice.summary_ids));
  return {
    ...importOf(partner, row),
    ...(slices.length === 0 ? {} : { missing_summary_ids: slices.flat() }),
    ...(counts === null ? {} : { files: importFilesOf(counts) }),
  };
}

export interface ImportFilters {
  user_id?: string | undefined;
  source?: string | undefined;
  status?: ImportStatus | undefined;
}

/** requested_at in Unix milliseconds and the id of the last row. */
export type ImportPosition = [timeMs: number, importId: string];

/**
 * Returns at most `limit` imports after the position, newest first. They come without their missing ids, which may be
 * 20,000 each, and running ones with the counts of their last projection.
 */
export async function listImports(
  env: Env,
  partner: PartnerView,
  filters: ImportFilters,
  { limit, after }: { limit: number; after: ImportPosition | null },
): Promise<Import[]> {
  const partnerId = partner.partner_id;
  const { user_id, source, status } = filters;
  const prefix = user_id === undefined ? null : idPrefix(partnerId, user_id, source);
  const where = new Where().and("i.partner_id = ?", partnerId);
  if (prefix !== null) where.and("i.import_id >= ? AND i.import_id < ?", prefix, rangeEnd(prefix));
  where.andEqual("i.user_id", user_id).andEqual("i.source", source).andEqual("i.status", status);
  // A user's rows are stored together: sort them. A partner's rows are read along the index of their order.
  const time = `${prefix === null ? "" : "+"}i.requested_at`;
  if (after !== null) where.and(`(${time}, i.import_id) < (?, ?)`, ...after);
  const found = await databaseFor(env, partnerId)
    .prepare(`${IMPORTS} WHERE ${where.sql} ORDER BY ${time} DESC, i.import_id DESC LIMIT ?`)
    .bind(...where.values, limit)
    .all<ImportRow>();
  return found.results.map((row) => importOf(partner, row));
}
