/** One step of the schema. Its version is its position in `MIGRATIONS`, from 1. */
export interface Migration {
  /** Statements, separated by semicolons. */
  sql: string;
  /**
   * Oldest version whose code can read and write the tables after this step. An additive step (a table, a column with a
   * default, a JSON key) repeats the value of the previous step. Any other step sets its own version.
   */
  readableFrom: number;
}

/**
 * Tables of a collector. Append steps, and never change a deployed one: objects that older code wrote run the missing
 * steps when they start.
 */
export const MIGRATIONS: readonly Migration[] = [
  {
    readableFrom: 1,
    sql: `
      CREATE TABLE IF NOT EXISTS identity (
        only INTEGER PRIMARY KEY CHECK (only = 1), partner_id TEXT NOT NULL, user_id TEXT NOT NULL,
        source TEXT NOT NULL, released_through INTEGER NOT NULL, housekeeping_at INTEGER,
        introduced INTEGER NOT NULL);
      CREATE TABLE IF NOT EXISTS files (
        file_id TEXT PRIMARY KEY, summary_id TEXT NOT NULL, revision INTEGER NOT NULL,
        version INTEGER, state TEXT, import_id TEXT, current TEXT,
        held_version INTEGER, held TEXT) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS remembered_duplicates (file_id TEXT PRIMARY KEY) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS imports (
        import_id TEXT PRIMARY KEY, after_version INTEGER NOT NULL, through_version INTEGER NOT NULL,
        import TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS dispatches (
        dispatch_id TEXT PRIMARY KEY, queue TEXT NOT NULL, files TEXT NOT NULL, state TEXT NOT NULL,
        due_at INTEGER NOT NULL, sent_at INTEGER, claim TEXT, claims INTEGER NOT NULL,
        expired_claims INTEGER NOT NULL, exclusive INTEGER NOT NULL, postponed INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS erased (
        only INTEGER PRIMARY KEY CHECK (only = 1), before_version INTEGER NOT NULL);
      CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY, entry TEXT NOT NULL);
    `,
  },
  {
    // The binding of the partner's database. Collectors of older code belong to the first one.
    readableFrom: 1,
    sql: "ALTER TABLE identity ADD COLUMN database TEXT NOT NULL DEFAULT 'DB';",
  },
  {
    // The highest sequence number of the file's pings, and the partner's edits.
    readableFrom: 1,
    sql: "ALTER TABLE files ADD COLUMN sequence_number INTEGER; ALTER TABLE files ADD COLUMN edits TEXT;",
  },
  {
    // The newest versions of deleted files. Older code may give a later ping a version that D1 rejects as deleted.
    readableFrom: 4,
    sql: `CREATE TABLE IF NOT EXISTS deleted_files (file_id TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;
      CREATE INDEX IF NOT EXISTS deleted_files_by_age ON deleted_files (version);`,
  },
  {
    // Held files that wait for their download before the task, and whether a dispatch downloads such files.
    readableFrom: 4,
    sql: `CREATE TABLE IF NOT EXISTS prefetches (seq INTEGER PRIMARY KEY, file_ids TEXT NOT NULL);
      ALTER TABLE dispatches ADD COLUMN prefetch INTEGER NOT NULL DEFAULT 0;`,
  },
];
