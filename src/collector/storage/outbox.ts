import type { OutboxEntry } from "../outbox/entry.ts";
import type { CollectorDatabase } from "./database.ts";
import { fieldsOfJson, list, memberOf, text } from "./parse.pure.ts";

/** Ids in one entry: a row with this many stays far below SQLite's 2 MB. */
const FILES_PER_ENTRY = 5_000;

export class OutboxStorage {
  readonly #database: CollectorDatabase;

  constructor(database: CollectorDatabase) {
    this.#database = database;
  }

  add(entries: readonly OutboxEntry[]): void {
    for (const entry of entries.flatMap(bounded))
      this.#database.write("INSERT INTO outbox (entry) VALUES (?)", JSON.stringify(entry));
  }

  /** The oldest entries, in order. */
  first(limit: number): { seq: number; entry: OutboxEntry }[] {
    return this.#database
      .read<{ seq: number; entry: string }>("SELECT seq, entry FROM outbox ORDER BY seq LIMIT ?", limit)
      .map((row) => ({ seq: row.seq, entry: parseEntry(row.entry) }));
  }

  remove(seq: number): void {
    this.#database.change("DELETE FROM outbox WHERE seq = ?", seq);
  }

  clear(): void {
    this.#database.change("DELETE FROM outbox");
  }

  /** Keys of objects that are about to be discarded. */
  discardedKeys(): string[] {
    return this.#database
      .read<{ key: string }>(
        "SELECT entry ->> 'object_key' key FROM outbox WHERE entry ->> 'kind' = 'discard_object'",
      )
      .map((row) => row.key);
  }
}

function bounded(entry: OutboxEntry): OutboxEntry[] {
  if (entry.kind !== "project_files") return [entry];
  const entries: OutboxEntry[] = [];
  for (let start = 0; start < entry.file_ids.length; start += FILES_PER_ENTRY) {
    entries.push({ ...entry, file_ids: entry.file_ids.slice(start, start + FILES_PER_ENTRY) });
  }
  return entries;
}

const KINDS = ["project_files", "discard_object", "complete_import"] as const satisfies OutboxEntry["kind"][];

function parseEntry(json: string): OutboxEntry {
  const fields = fieldsOfJson(json);
  const kind = memberOf(KINDS, fields["kind"]);
  switch (kind) {
    case "project_files":
      return { kind, file_ids: list(fields["file_ids"]).map(text) };
    case "discard_object":
      return { kind, file_id: text(fields["file_id"]), object_key: text(fields["object_key"]) };
    case "complete_import":
      return { kind, import_id: text(fields["import_id"]) };
  }
}
