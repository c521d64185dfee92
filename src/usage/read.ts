import { dateOf } from "../contract/days.ts";
import { databaseFor, type Owner } from "../database/databases.ts";
import { count, fieldsOf, type Fields } from "../database/parse.ts";
import type { Env } from "../env.ts";
import { REQUEST_CLASSES, type UsageDay } from "./days.ts";
import { NO_USAGE, usageOf, type Usage } from "./usage.ts";

/** Returns the current usage of a partner. Reads one row. */
export async function readUsage(env: Env, owner: Owner): Promise<Usage> {
  const row = await databaseFor(env, owner)
    .prepare("SELECT files, stored_bytes, removal_bytes FROM partner_usage WHERE partner_id = ?")
    .bind(owner.partner_id)
    .first();
  return row === null ? NO_USAGE : usageOf(row);
}

/** Returns the size of a database, which D1 reports with every result. */
export async function readDatabaseBytes(database: D1Database): Promise<number> {
  const { meta } = await database.prepare("SELECT 1").run();
  return meta.size_after;
}

const DAY_COLUMNS =
  "imported, failed, deleted, stored_bytes, status_2xx, status_4xx, status_429, status_5xx, delivered, undelivered";

/**
 * Returns a partner's usage of each day from `first` to `last`. The files of the latest day with files are in `partner_usage`, those of
 * earlier days in `usage_days`.
 */
export async function readUsageDays(
  env: Env,
  owner: Owner,
  first: number,
  last: number,
): Promise<UsageDay[]> {
  const { results } = await databaseFor(env, owner)
    .prepare(
      `SELECT day, ${DAY_COLUMNS} FROM usage_days WHERE partner_id = ?1 AND day BETWEEN ?2 AND ?3
       UNION ALL
       SELECT day, day_imported, day_failed, day_deleted, day_bytes, 0, 0, 0, 0, 0, 0 FROM partner_usage
       WHERE partner_id = ?1 AND day BETWEEN ?2 AND ?3`,
    )
    .bind(owner.partner_id, first, last)
    .all();
  const days = Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => emptyDay(first + index));
  for (const row of results) {
    const fields = fieldsOf(row);
    const day = days[count(fields["day"]) - first];
    if (day !== undefined) add(day, fields);
  }
  return days;
}

function emptyDay(day: number): UsageDay {
  return {
    day: dateOf(day),
    files: { imported: 0, failed: 0, deleted: 0 },
    stored_bytes: 0,
    requests: { status_2xx: 0, status_4xx: 0, status_429: 0, status_5xx: 0 },
    deliveries: { delivered: 0, failed: 0 },
  };
}

function add(day: UsageDay, row: Fields): void {
  day.files.imported += count(row["imported"]);
  day.files.failed += count(row["failed"]);
  day.files.deleted += count(row["deleted"]);
  day.stored_bytes += count(row["stored_bytes"]);
  for (const status of REQUEST_CLASSES) day.requests[status] += count(row[status]);
  day.deliveries.delivered += count(row["delivered"]);
  day.deliveries.failed += count(row["undelivered"]);
}
