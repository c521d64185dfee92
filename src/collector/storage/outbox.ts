import { chunksOf } from "../../concurrency/chunksOf.ts";
import type { OutboxEntry } from "../outbox/entry.ts";
import type { CollectorDatabase } from "./database.ts";
import { count, fieldsOfJson, list, memberOf, text } from "../../database/parse.ts";

/** Maximum number of ids or keys in one entry. Its row is far below SQLite's limit of 2 MB. */
const ITEMS_PER_ENTRY = 5_000;

export class OutboxStorage {
  readonly #database: CollectorDatabase;
  /** Last number in use. Numbers are never reused, because an alarm may still process an entry that was deleted. */
  #lastSeq = 0;

  constructor(database: CollectorDatabase) {
    this.#database = database;
  }

  add(entries: readonly OutboxEntry[]): void {
    for (const entry of entries.flatMap(bounded)) {
      const [row] = this.#database.read<{ seq: number | null }>("SELECT max(seq) seq FROM outbox");
      this.#lastSeq = Math.max(this.#lastSeq, row?.seq ?? 0) + 1;
      this.#database.write(
        "INSERT INTO outbox (seq, entry) VALUES (?, ?)",
        this.#lastSeq,
        JSON.stringify(entry),
      );
    }
  }

  /** Returns the oldest entries in order, except `delete_objects`. */
  first(limit: number): { seq: number; entry: OutboxEntry }[] {
    return this.#select("entry ->> 'kind' <> 'delete_objects' ORDER BY seq LIMIT ?", limit);
  }

  /** Returns the oldest `delete_file` entries in order. */
  deletions(limit: number): { seq: number; entry: OutboxEntry }[] {
    return this.#select("entry ->> 'kind' = 'delete_file' ORDER BY seq LIMIT ?", limit);
  }

  /** Whether the deletion of the file is not in the read model yet. */
  isDeleting(fileId: string): boolean {
    const found = this.#database.read(
      "SELECT 1 FROM outbox WHERE entry ->> 'kind' = 'delete_file' AND entry ->> 'file_id' = ? LIMIT 1",
      fileId,
    );
    return found.length > 0;
  }

  /** Returns a list with the oldest `delete_objects` entry, or an empty list. */
  firstErasedObjects(): { seq: number; entry: OutboxEntry }[] {
    return this.#select("entry ->> 'kind' = 'delete_objects' ORDER BY seq LIMIT 1");
  }

  #select(condition: string, ...bindings: number[]): { seq: number; entry: OutboxEntry }[] {
    return this.#database
      .read<{ seq: number; entry: string }>(`SELECT seq, entry FROM outbox WHERE ${condition}`, ...bindings)
      .map((row) => ({ seq: row.seq, entry: parseEntry(row.entry) }));
  }

  get isEmpty(): boolean {
    return this.#database.read("SELECT 1 FROM outbox LIMIT 1").length === 0;
  }

  remove(seqs: readonly number[]): void {
    if (seqs.length === 0) return;
    this.#database.change(
      "DELETE FROM outbox WHERE seq IN (SELECT value FROM json_each(?))",
      JSON.stringify(seqs),
    );
  }

  /** Deletes all entries except `delete_objects`. */
  clear(): void {
    this.#database.change("DELETE FROM outbox WHERE entry ->> 'kind' <> 'delete_objects'");
  }

  /** Returns the keys of all `discard_object` entries. */
  discardedKeys(): string[] {
    return this.#database
      .read<{ key: string }>(
        "SELECT entry ->> 'object_key' key FROM outbox WHERE entry ->> 'kind' = 'discard_object'",
      )
      .map((row) => row.key);
  }
}

function bounded(entry: OutboxEntry): OutboxEntry[] {
  switch (entry.kind) {
    case "project_files":
      return chunksOf(entry.file_ids, ITEMS_PER_ENTRY).map((file_ids) => ({ ...entry, file_ids }));
    case "delete_objects":
      return chunksOf(entry.object_keys, ITEMS_PER_ENTRY).map((object_keys) => ({ ...entry, object_keys }));
    case "delete_file":
    case "touch_user":
    case "discard_object":
    case "complete_import":
      return [entry];
  }
}

const KINDS = [
  "project_files",
  "delete_file",
  "touch_user",
  "discard_object",
  "complete_import",
  "delete_objects",
] as const satisfies OutboxEntry["kind"][];

function parseEntry(json: string): OutboxEntry {
  const fields = fieldsOfJson(json);
  const kind = memberOf(KINDS, fields["kind"]);
  switch (kind) {
    case "project_files":
      return { kind, file_ids: list(fields["file_ids"]).map(text) };
    case "delete_file":
      return { kind, file_id: text(fields["file_id"]), version: count(fields["version"]) };
    case "touch_user":
      return { kind, version: count(fields["version"]), pinged_at: count(fields["pinged_at"]) };
    case "discard_object":
      return { kind, file_id: text(fields["file_id"]), object_key: text(fields["object_key"]) };
    case "complete_import":
      return { kind, import_id: text(fields["import_id"]) };
    case "delete_objects":
      return { kind, object_keys: list(fields["object_keys"]).map(text) };
  }
}
