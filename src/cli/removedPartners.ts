import { z } from "zod";
import type { Database } from "./databases.ts";

/** Notes the removal of a partner in the database of its rows. Parameters: the partner's id and the time. */
export const NOTE_REMOVAL = `INSERT INTO removed_partners (partner_id, removed_at) VALUES (?1, ?2)
  ON CONFLICT (partner_id) DO UPDATE SET removed_at = excluded.removed_at RETURNING partner_id`;

const FIND_TABLES = "SELECT 1 FROM sqlite_master WHERE name = 'removed_partners'";

const FIND_ROWS = `SELECT 1 WHERE ${["erased", "users", "user_sources", "files", "imports", "deliveries"]
  .map((table) => `EXISTS (SELECT 1 FROM ${table} WHERE partner_id = ?1)`)
  .join(" OR ")}`;

/**
 * Returns the name of the database with rows of a partner's id: its data when the registry has lost it, or the bounds of
 * its erasures after its removal. Null when no database has any. A database without tables has none.
 */
export async function databaseWithRowsOf(
  databases: readonly Database[],
  partnerId: string,
): Promise<string | null> {
  for (const database of databases) {
    if ((await database.run(FIND_TABLES)).length === 0) continue;
    if ((await database.run(FIND_ROWS, partnerId)).length > 0) return database.name;
  }
  return null;
}

const removalRows = z.array(z.object({ partner_id: z.string(), removed_at: z.number() }));

/** Returns when partners were last removed, in Unix milliseconds by partner id. */
export async function readRemovals(databases: readonly Database[]): Promise<Map<string, number>> {
  const removals = new Map<string, number>();
  for (const database of databases) {
    const rows = removalRows.parse(await database.run("SELECT partner_id, removed_at FROM removed_partners"));
    for (const { partner_id, removed_at } of rows) {
      removals.set(partner_id, Math.max(removed_at, removals.get(partner_id) ?? 0));
    }
  }
  return removals;
}

/** Deletes the notes of a partner's removals. */
export async function forgetRemoval(databases: readonly Database[], partnerId: string): Promise<void> {
  for (const database of databases) {
    await database.run("DELETE FROM removed_partners WHERE partner_id = ?1", partnerId);
  }
}
