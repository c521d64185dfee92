import { jsonSlices } from "../../database/sql.ts";
import type { CollectorDatabase } from "./database.ts";

/** Newest versions of deleted files, so that a later version is above them. */
export class DeletedFileStorage {
  readonly #database: CollectorDatabase;

  constructor(database: CollectorDatabase) {
    this.#database = database;
  }

  note(fileId: string, version: number): void {
    this.#database.write(
      `INSERT INTO deleted_files (file_id, version) VALUES (?, ?) ON CONFLICT (file_id)
       DO UPDATE SET version = max(version, excluded.version)`,
      fileId,
      version,
    );
  }

  /** Returns the deleted versions of those files that were deleted. */
  read(fileIds: readonly string[]): Map<string, number> {
    const versions = new Map<string, number>();
    for (const slice of jsonSlices(fileIds)) {
      const rows = this.#database.read<{ file_id: string; version: number }>(
        "SELECT file_id, version FROM deleted_files WHERE file_id IN (SELECT value FROM json_each(?))",
        slice,
      );
      for (const { file_id, version } of rows) versions.set(file_id, version);
    }
    return versions;
  }

  /** Returns the oldest deleted version. Null without any. */
  oldest(): number | null {
    const [row] = this.#database.read<{ oldest: number | null }>(
      "SELECT min(version) oldest FROM deleted_files",
    );
    return row?.oldest ?? null;
  }

  /** Returns the newest deleted version. 0 without any. */
  newest(): number {
    const [row] = this.#database.read<{ newest: number | null }>(
      "SELECT max(version) newest FROM deleted_files",
    );
    return row?.newest ?? 0;
  }

  deleteUpTo(version: number): void {
    this.#database.change("DELETE FROM deleted_files WHERE version <= ?", version);
  }
}
