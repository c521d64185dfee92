/** Returns whether a migration is applied. Throws when the database is down. */
export async function hasMigration(db: D1Database, name: string): Promise<boolean> {
  try {
    const row = await db.prepare("SELECT 1 FROM d1_migrations WHERE name = ?").bind(name).first();
    return row !== null;
  } catch (fault) {
    if (fault instanceof Error && fault.message.includes("no such table")) return false;
    throw fault;
  }
}
