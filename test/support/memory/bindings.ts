import { createHash } from "node:crypto";
import type { SQLInputValue } from "node:sqlite";
import { MemoryDatabase } from "./sqlite.ts";

/** Bindings in memory, each with the part of its interface that src uses. All resolve in the same turn. */

export class MemoryStatement {
  readonly #database: MemoryDatabase;
  readonly #sql: string;
  readonly #bindings: readonly SQLInputValue[];

  constructor(database: MemoryDatabase, sql: string, bindings: readonly SQLInputValue[] = []) {
    this.#database = database;
    this.#sql = sql;
    this.#bindings = bindings;
  }

  bind(...bindings: SQLInputValue[]): MemoryStatement {
    return new MemoryStatement(this.#database, this.#sql, bindings);
  }

  now() {
    const { rows, changes } = this.#database.run(this.#sql, this.#bindings);
    // D1 also counts rows that a query reads and does not return.
    return { success: true, results: rows, meta: { changes, rows_read: rows.length } };
  }

  async run() {
    return this.now();
  }

  async all() {
    return this.now();
  }

  async first(column?: string): Promise<unknown> {
    const row = this.now().results[0];
    if (row === undefined || column === undefined) return row ?? null;
    if (!Object.hasOwn(row, column)) throw new Error(`D1_COLUMN_NOTFOUND: ${column}`);
    return row[column];
  }
}

export class MemoryD1 {
  readonly database = new MemoryDatabase();

  prepare(sql: string): MemoryStatement {
    return new MemoryStatement(this.database, sql);
  }

  async batch(statements: MemoryStatement[]) {
    return this.database.atomically(() => statements.map((statement) => statement.now()));
  }
}

export class MemoryR2 {
  readonly objects = new Map<string, Uint8Array>();

  async put(
    key: string,
    bytes: Uint8Array,
    options: { onlyIf?: { etagDoesNotMatch: "*" }; sha256?: string } = {},
  ) {
    if (options.onlyIf !== undefined && this.objects.has(key)) return null;
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    if (options.sha256 !== undefined && options.sha256 !== sha256)
      throw new Error("the sha256 does not match");
    this.objects.set(key, bytes.slice());
    return { key, size: bytes.byteLength };
  }

  async get(key: string) {
    const bytes = this.objects.get(key);
    return bytes === undefined
      ? null
      : { key, size: bytes.byteLength, arrayBuffer: async () => bytes.slice().buffer };
  }

  async delete(keys: string | string[]): Promise<void> {
    for (const key of [keys].flat()) this.objects.delete(key);
  }

  /** The cursor is the last listed key. */
  async list({
    prefix = "",
    limit = 1_000,
    cursor = "",
    startAfter = "",
  }: { prefix?: string; limit?: number; cursor?: string; startAfter?: string } = {}) {
    const after = cursor === "" ? startAfter : cursor;
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    const objects = keys.slice(0, limit).map((key) => ({ key }));
    const last = objects.at(-1)?.key ?? "";
    return keys.length > limit ? { objects, truncated: true, cursor: last } : { objects, truncated: false };
  }
}

export class MemoryKV {
  readonly #values = new Map<string, string>();

  async put(key: string, value: string): Promise<void> {
    this.#values.set(key, value);
  }

  async get(key: string): Promise<string | null> {
    return this.#values.get(key) ?? null;
  }
}
