import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";

export type Row = Record<string, string | number | null>;

/** A database in memory with the tests' clock. Prepares each statement once. */
export class MemoryDatabase {
  readonly #database = new DatabaseSync(":memory:");
  readonly #statements = new Map<string, { statement: StatementSync; answers: boolean }>();

  constructor() {
    // Replaces SQLite's function, so that the database uses the virtual time.
    this.#database.function("unixepoch", { varargs: true }, () => Date.now() / 1000);
  }

  /** Runs several statements. */
  script(sql: string): void {
    this.#database.exec(sql);
  }

  run(sql: string, bindings: readonly SQLInputValue[]): { rows: Row[]; changes: number } {
    let prepared = this.#statements.get(sql);
    if (prepared === undefined) {
      const statement = this.#database.prepare(sql);
      prepared = { statement, answers: statement.columns().length > 0 };
      this.#statements.set(sql, prepared);
    }
    if (!prepared.answers) return { rows: [], changes: Number(prepared.statement.run(...bindings).changes) };
    return { rows: prepared.statement.all(...bindings).map(plain), changes: 0 };
  }

  /** Runs `work` in a transaction. `work` must be synchronous. */
  atomically<T>(work: () => T): T {
    this.#database.exec("SAVEPOINT turn");
    try {
      const result = work();
      this.#database.exec("RELEASE turn");
      return result;
    } catch (fault) {
      this.#database.exec("ROLLBACK TO turn");
      this.#database.exec("RELEASE turn");
      throw fault;
    }
  }

  clear(): void {
    const tables = this.run("SELECT name FROM sqlite_master WHERE type = 'table'", []).rows;
    for (const { name } of tables) this.run(`DELETE FROM "${name}"`, []);
  }

  /** Deletes all tables. */
  drop(): void {
    const tables = this.run("SELECT name FROM sqlite_master WHERE type = 'table'", []).rows;
    for (const { name } of tables) this.#database.exec(`DROP TABLE "${name}"`);
  }
}

function plain(row: Record<string, SQLOutputValue>): Row {
  const values: Row = {};
  for (const name in row) {
    const value = row[name];
    if (value === undefined || typeof value === "bigint" || value instanceof Uint8Array) {
      throw new Error(`a value of an unknown column type: ${name}`);
    }
    values[name] = value;
  }
  return values;
}
