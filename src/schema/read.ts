import { MIGRATIONS } from "../collector/storage/schema.ts";
import { withTimeout } from "../concurrency/withTimeout.ts";
import { allDatabases, type Databases } from "../database/databases.ts";

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

/** Versions of the stored formats. */
export interface SchemaVersions {
  /** Number of migrations that every database has. Null when a database does not respond or has none. */
  database: number | null;
  /** Version of the collectors' tables that this code writes. */
  collector: number;
}

const DEADLINE_MS = 2_000;
/** Without a key, callers cannot make the databases work more than once in this time for each isolate. */
const KEPT_FOR_MS = 10_000;

let known: { migrations: number | null; atMs: number } | null = null;

/** Returns the versions of the stored formats. The number of migrations may be ten seconds old. */
export async function readSchemaVersions(env: Databases, nowMs: number): Promise<SchemaVersions> {
  if (known === null || nowMs - known.atMs >= KEPT_FOR_MS) {
    known = { migrations: await readMigrations(env), atMs: nowMs };
  }
  return { database: known.migrations, collector: MIGRATIONS.length };
}

async function readMigrations(env: Databases): Promise<number | null> {
  try {
    const counts = await withTimeout(DEADLINE_MS, Promise.all(allDatabases(env).map(countMigrations)));
    return Math.min(...counts);
  } catch {
    return null;
  }
}

async function countMigrations(database: D1Database): Promise<number> {
  // Wrangler's table of applied migrations.
  const count = await database
    .prepare("SELECT count(*) AS applied FROM d1_migrations")
    .first<number>("applied");
  return count ?? 0;
}
