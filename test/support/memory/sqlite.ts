import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";

export type Row = Record<string, string | number | null>;

/** A database in memory whose clock is the tests', with its statements prepared once. */
export class MemoryDatabase {
  readonly #database = new DatabaseSync(":memory:");
  readonly #statements = new Map<string, StatementSync>();

  constructor() {
    // A function of our own takes the place of SQLite's: the database lives in the same virtual time.
    this.#database.function("unixepoch", { varargs: true }, () => Date.now() / 1000);
  }

  script(sql: string): void {
    this.#database.exec(sql);
  }

  run(sql: string, bindings: readonly SQLInputValue[]): { rows: Row[]; changes: number } {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    if (statement.columns().length === 0) {
      return { rows: [], changes: Number(statement.run(...bindings).changes) };
    }
    const rows = statement.all(...bindings).map((row): Row => Object.fromEntries(Object.entries(row).map(plain)));
    return { rows, changes: 0 };
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
    for (const { name } of tables) this.#database.exec(`DELETE FROM "${String(name)}"`);
  }
}

function plain([name, value]: [string, unknown]): [string, string | number | null] {
  if (value === null || typeof value === "string" || typeof value === "number") return [name, value];
  throw new Error(`a column of a type that no table has: ${name}`);
}
