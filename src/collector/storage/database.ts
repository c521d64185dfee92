import { MIGRATIONS, type Migration } from "./schema.ts";

/** Thrown when a newer version of the code has written tables that this version cannot read. */
export class UnreadableSchema extends Error {
  override readonly name = "UnreadableSchema";
  readonly version: number;
  readonly readableFrom: number;
  readonly known: number;

  constructor(version: number, readableFrom: number, known: number) {
    super(
      `Schema version ${version} can be read from version ${readableFrom} on. ` +
        `This code knows version ${known}: deploy the newer code again.`,
    );
    this.version = version;
    this.readableFrom = readableFrom;
    this.known = known;
  }
}

/**
 * Table with the schema version, because workerd does not authorize `PRAGMA user_version`. This table never changes, so
 * that every version of the code can read it.
 */
const SCHEMA_TABLE = `CREATE TABLE IF NOT EXISTS schema (
  only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL, readable_from INTEGER NOT NULL);`;

type Binding = string | number | null;

/**
 * SQL access to one collector's tables, with migrations. The first write creates the tables, so that reading an unknown
 * collector stores nothing. Construct it, and write, inside a transaction.
 */
export class CollectorDatabase {
  readonly #sql: SqlStorage;
  readonly #migrations: readonly Migration[];
  #hasTables = false;
  /** Error that every read and write throws. Null when the tables can be read. */
  refusal: UnreadableSchema | null = null;

  constructor(sql: SqlStorage, migrations: readonly Migration[] = MIGRATIONS) {
    this.#sql = sql;
    this.#migrations = migrations;
    this.open();
  }

  /** Reads the schema version and runs missing migrations. Called at the start and after a rollback. */
  open(): void {
    const found = this.#readVersion();
    this.#hasTables = found !== null;
    if (found === null) return;
    const known = this.#migrations.length;
    if (found.version < known) this.#migrate(found.version);
    if (found.version > known && found.readable_from > known) {
      this.refusal = new UnreadableSchema(found.version, found.readable_from, known);
    }
  }

  #readVersion(): { version: number; readable_from: number } | null {
    const tables = this.#sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema'");
    if (tables.toArray().length === 0) return null;
    const rows = this.#sql.exec<{ version: number; readable_from: number }>(
      "SELECT version, readable_from FROM schema",
    );
    return rows.toArray()[0] ?? null;
  }

  #migrate(from: number): void {
    const missing = this.#migrations.slice(from);
    for (const { sql } of missing) this.#sql.exec(sql);
    this.#sql.exec(
      `INSERT INTO schema (only, version, readable_from) VALUES (1, ?, ?)
       ON CONFLICT (only) DO UPDATE SET version = excluded.version, readable_from = excluded.readable_from`,
      this.#migrations.length,
      Math.max(...this.#migrations.map(({ readableFrom }) => readableFrom)),
    );
  }

  assertReadable(): void {
    if (this.refusal !== null) throw this.refusal;
  }

  read<T extends Record<string, SqlStorageValue>>(query: string, ...bindings: Binding[]): T[] {
    this.assertReadable();
    return this.#hasTables ? this.#sql.exec<T>(query, ...bindings).toArray() : [];
  }

  /** Changes or deletes rows. Does nothing without tables. */
  change(statement: string, ...bindings: Binding[]): void {
    this.assertReadable();
    if (this.#hasTables) this.#sql.exec(statement, ...bindings);
  }

  /** Inserts rows. Creates the tables before the first. */
  write(statement: string, ...bindings: Binding[]): void {
    this.assertReadable();
    if (!this.#hasTables) {
      this.#sql.exec(SCHEMA_TABLE);
      this.#migrate(0);
      this.#hasTables = true;
    }
    this.#sql.exec(statement, ...bindings);
  }
}
