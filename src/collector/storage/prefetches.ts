import { MAX_WAITING_PREFETCHES } from "../../contract/limits.ts";
import { list, text } from "../../database/parse.ts";
import type { CollectorDatabase } from "./database.ts";

/** Maximum number of ids in one row. Several pings share a row, which costs less than a row for each. */
const IDS_PER_ROW = 250;
/** Maximum number of rows. Further files are downloaded by their task. */
const MAX_ROWS = MAX_WAITING_PREFETCHES / IDS_PER_ROW;

/** Ids of held files that wait for their download before the task, oldest first. Some may no longer need it. */
export class PrefetchStorage {
  readonly #database: CollectorDatabase;

  constructor(database: CollectorDatabase) {
    this.#database = database;
  }

  get isEmpty(): boolean {
    return this.#database.read("SELECT 1 FROM prefetches LIMIT 1").length === 0;
  }

  /** Adds files that are not in the last row yet. Adds none when too many wait. */
  add(fileIds: readonly string[]): void {
    if (fileIds.length === 0 || this.#count() >= MAX_ROWS) return;
    const last = this.#read("ORDER BY seq DESC");
    const ids = [...new Set([...(last?.ids ?? []), ...fileIds])];
    if (ids.length === last?.ids.length) return;
    let seq = last?.seq ?? 1;
    for (let start = 0; start < ids.length; start += IDS_PER_ROW, seq += 1) {
      this.#write(seq, ids.slice(start, start + IDS_PER_ROW));
    }
  }

  /** Removes and returns the files that wait longest, at most `limit`. */
  take(limit: number): string[] {
    const taken: string[] = [];
    for (;;) {
      const first = taken.length < limit ? this.#read("ORDER BY seq") : null;
      if (first === null) return taken;
      const rest = first.ids.slice(limit - taken.length);
      taken.push(...first.ids.slice(0, limit - taken.length));
      if (rest.length > 0) this.#write(first.seq, rest);
      else this.#database.change("DELETE FROM prefetches WHERE seq = ?", first.seq);
    }
  }

  clear(): void {
    this.#database.change("DELETE FROM prefetches");
  }

  #count(): number {
    return this.#database.read<{ count: number }>("SELECT count(*) count FROM prefetches")[0]?.count ?? 0;
  }

  #read(order: string): { seq: number; ids: string[] } | null {
    const [row] = this.#database.read<{ seq: number; file_ids: string }>(
      `SELECT seq, file_ids FROM prefetches ${order} LIMIT 1`,
    );
    return row === undefined ? null : { seq: row.seq, ids: list(JSON.parse(row.file_ids)).map(text) };
  }

  #write(seq: number, ids: readonly string[]): void {
    this.#database.write(
      "INSERT INTO prefetches (seq, file_ids) VALUES (?, ?) ON CONFLICT (seq) DO UPDATE SET file_ids = excluded.file_ids",
      seq,
      JSON.stringify(ids),
    );
  }
}
