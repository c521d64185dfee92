import { countsOf } from "../../imports/counts.pure.ts";
import { IMPORT_STATUSES } from "../../imports/import.ts";
import type { ImportState } from "../imports/import.pure.ts";
import type { CollectorDatabase } from "./database.ts";
import { count, fieldsOfJson, list, memberOf, numberOrNull, text, textOrNull } from "../../database/parse.ts";

export class ImportStorage {
  readonly #database: CollectorDatabase;

  constructor(database: CollectorDatabase) {
    this.#database = database;
  }

  read(importId: string): ImportState | null {
    const [row] = this.#database.read<{ import: string }>(
      "SELECT import FROM imports WHERE import_id = ?",
      importId,
    );
    return row === undefined ? null : parseImport(row.import);
  }

  all(): ImportState[] {
    return this.#database
      .read<{ import: string }>("SELECT import FROM imports")
      .map((row) => parseImport(row.import));
  }

  /** Returns the id of the import that released this version. Null when it is not stored any more. */
  idOfVersion(version: number): string | null {
    const [row] = this.#database.read<{ import_id: string }>(
      "SELECT import_id FROM imports WHERE after_version < ?1 AND through_version >= ?1",
      version,
    );
    return row?.import_id ?? null;
  }

  write(row: ImportState): void {
    this.#database.write(
      `INSERT INTO imports (import_id, after_version, through_version, import) VALUES (?, ?, ?, ?)
       ON CONFLICT (import_id) DO UPDATE SET import = excluded.import`,
      row.import_id,
      row.after_version,
      row.through_version,
      JSON.stringify(row),
    );
  }

  delete(importId: string): void {
    this.#database.change("DELETE FROM imports WHERE import_id = ?", importId);
  }

  /** Deletes announced imports that are older than the newest `kept` imports. */
  deleteBeyond(kept: number): void {
    this.#database.change(
      `DELETE FROM imports WHERE import ->> 'announced' AND import_id IN (
         SELECT import_id FROM imports ORDER BY import ->> 'requested_at' DESC LIMIT -1 OFFSET ?)`,
      kept,
    );
  }

  eraseUpTo(version: number): void {
    this.#database.change("DELETE FROM imports WHERE import ->> 'requested_at' <= ?", version);
  }

  /** Returns when the newest import was requested, in Unix milliseconds. 0 without imports. */
  newest(): number {
    const [row] = this.#database.read<{ at: number | null }>(
      "SELECT max(import ->> 'requested_at') at FROM imports",
    );
    return row?.at ?? 0;
  }

  hasAnyAfter(version: number): boolean {
    const found = this.#database.read(
      "SELECT 1 FROM imports WHERE import ->> 'requested_at' > ? LIMIT 1",
      version,
    );
    return found.length > 0;
  }
}

function parseImport(json: string): ImportState {
  const fields = fieldsOfJson(json);
  return {
    import_id: text(fields["import_id"]),
    event_id: textOrNull(fields["event_id"]),
    is_initial_import: fields["is_initial_import"] === true,
    after_version: count(fields["after_version"]),
    through_version: count(fields["through_version"]),
    ...countsOf(fields),
    status: memberOf(IMPORT_STATUSES, fields["status"]),
    requested_at: count(fields["requested_at"]),
    completed_at: numberOrNull(fields["completed_at"]),
    drained_to: textOrNull(fields["drained_to"]),
    skipped_to: textOrNull(fields["skipped_to"] ?? null),
    plan_requested: fields["plan_requested"] === true,
    held_under_other_source:
      fields["held_under_other_source"] == null ? null : list(fields["held_under_other_source"]).map(text),
    revision: count(fields["revision"]),
    announced: fields["announced"] === true,
    projected_revision: count(fields["projected_revision"]),
  };
}
