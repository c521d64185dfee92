import { databaseFor, type Owner } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { NO_USAGE, usageOf, type Usage } from "./usage.ts";

/** Returns the current usage of a partner. Reads one row. */
export async function readUsage(env: Env, owner: Owner): Promise<Usage> {
  const row = await databaseFor(env, owner)
    .prepare("SELECT files, stored_bytes, removal_bytes FROM partner_usage WHERE partner_id = ?")
    .bind(owner.partner_id)
    .first();
  return row === null ? NO_USAGE : usageOf(row);
}

/** Returns the size of a database, which D1 reports with every answer. */
export async function readDatabaseBytes(database: D1Database): Promise<number> {
  const { meta } = await database.prepare("SELECT 1").run();
  return meta.size_after;
}
