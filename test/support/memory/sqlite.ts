import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";

export type Row = Record<string, string | number | null>;

/** A database in memory whose clock is the tests', with its statements prepared once. */
export class MemoryDatabase {
  readonly #database = new DatabaseSync(":memory:");
  readonly #statements = new Map<string, { statement: StatementSync; answers: boolean }>();

  constructor() {
    // A function of our own takes the place of SQLite's: the database lives in the same virtual time.
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

  /** All of it or nothing; `work` must not wait for anything. */
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
}

function plain(row: Record<string, SQLOutputValue>): Row {
  const values: Row = {};
  for (const name in row) {
    const value = row[name];
    if (value === undefined || typeof value === "bigint" || value instanceof Uint8Array) {
      throw new Error(`a value of a type that no column has: ${name}`);
    }
    values[name] = value;
  }
  return values;
}
