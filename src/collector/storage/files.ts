import { jsonSlices } from "../../database/sql.ts";
import { parseEdits, storedEdits } from "../../files/edits.pure.ts";
import { release, type FileVersions, type RetriedBy } from "../files/versions.pure.ts";
import type { ImportState } from "../imports/import.pure.ts";
import type { CollectorDatabase } from "./database.ts";
import type { IdentityStorage } from "./identity.ts";
import type { ImportStorage } from "./imports.ts";
import { parseCurrent, parseHeld, storedHeld } from "./parseVersions.pure.ts";

const COLUMNS =
  "file_id, summary_id, revision, version, state, import_id, current, held_version, held, sequence_number, edits";

type FileRow = {
  file_id: string;
  summary_id: string;
  revision: number;
  current: string | null;
  held_version: number | null;
  held: string | null;
  sequence_number: number | null;
  edits: string | null;
};

/** SQL condition for failed files with a URL. */
const FAILED_WITH_URL = "state = 'failed' AND current ->> '$.submission.callback_url' IS NOT NULL";

/** SQL condition for files of an import that are not settled yet. Binds `rangeOf` the import. */
const PENDING = `(held_version > ?1 AND held_version <= ?2)
  OR (state = 'queued' AND import_id = ?3 AND current ->> 'retried' IS NOT 1)`;

const rangeOf = (row: ImportState) => [row.after_version, row.through_version, row.import_id] as const;

/** Files with their versions, and the duplicates that the next import counts as skipped. */
export class FileStorage {
  readonly #database: CollectorDatabase;
  readonly #identity: IdentityStorage;
  readonly #imports: ImportStorage;

  constructor(database: CollectorDatabase, identity: IdentityStorage, imports: ImportStorage) {
    this.#database = database;
    this.#identity = identity;
    this.#imports = imports;
  }

  #select(condition: string, ...bindings: (string | number)[]): FileVersions[] {
    return this.#database
      .read<FileRow>(
        `SELECT file_id, summary_id, revision, current, held_version, held, sequence_number, edits FROM files WHERE ${condition}`,
        ...bindings,
      )
      .flatMap((row) => this.#parse(row) ?? []);
  }

  /** Parses a row. A released held version becomes queued here, because a release writes no file rows. */
  #parse(row: FileRow): FileVersions | null {
    const { file_id, summary_id, revision, sequence_number } = row;
    const names = { file_id, summary_id, revision, sequence_number, edits: parseEdits(row.edits) };
    const current = row.current === null ? null : parseCurrent(row.current);
    if (row.held_version === null || row.held === null) {
      return current === null ? null : { ...names, current, held: null };
    }
    const file: FileVersions = {
      ...names,
      current,
      held: parseHeld(row.held_version, row.held),
    };
    return row.held_version > this.#identity.releasedThrough
      ? file
      : release(file, this.#imports.idOfVersion(row.held_version));
  }

  read(fileIds: readonly string[]): Map<string, FileVersions> {
    const files = new Map<string, FileVersions>();
    for (const slice of jsonSlices(fileIds)) {
      for (const file of this.#select("file_id IN (SELECT value FROM json_each(?))", slice)) {
        files.set(file.file_id, file);
      }
    }
    return files;
  }

  /** Returns at most `limit` files after a file id, in the order of ids. */
  after(fileId: string, limit: number): FileVersions[] {
    return this.#select("file_id > ? ORDER BY file_id LIMIT ?", fileId, limit);
  }

  write(files: readonly FileVersions[]): void {
    const values = files.map(({ file_id, summary_id, revision, sequence_number, edits, current, held }) => [
      file_id,
      summary_id,
      revision,
      current?.version ?? null,
      current?.state ?? null,
      current?.import_id ?? null,
      current === null ? null : JSON.stringify(current),
      held?.version ?? null,
      held === null ? null : storedHeld(held),
      sequence_number,
      edits === null ? null : storedEdits(edits),
    ]);
    for (const slice of jsonSlices(values)) {
      this.#database.write(
        `INSERT INTO files (${COLUMNS})
         SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8,
           value->>9, value->>10
         FROM json_each(?) WHERE true
         ON CONFLICT (file_id) DO UPDATE SET revision = excluded.revision, version = excluded.version,
           state = excluded.state, import_id = excluded.import_id, current = excluded.current,
           held_version = excluded.held_version, held = excluded.held, sequence_number = excluded.sequence_number,
           edits = excluded.edits`,
        slice,
      );
    }
  }

  /** Deletes a file, and its memory as a duplicate. */
  delete(fileId: string): void {
    this.#database.change("DELETE FROM files WHERE file_id = ?", fileId);
    this.#database.change("DELETE FROM remembered_duplicates WHERE file_id = ?", fileId);
  }

  /** Returns the number of held files, with their newest and oldest version. All 0 without any. */
  countHeld(): { count: number; newest: number; oldest: number } {
    const found = this.#database.read<{ count: number; newest: number | null; oldest: number | null }>(
      "SELECT count(*) count, max(held_version) newest, min(held_version) oldest FROM files WHERE held_version > ?",
      this.#identity.releasedThrough,
    )[0];
    return { count: found?.count ?? 0, newest: found?.newest ?? 0, oldest: found?.oldest ?? 0 };
  }

  /** Returns files with a queued version and a newer held one. */
  queuedAndHeld(): FileVersions[] {
    return this.#select("state = 'queued' AND held_version > ?", this.#identity.releasedThrough);
  }

  /** Returns held files with a held version up to this one. */
  heldUpTo(version: number, limit: number): FileVersions[] {
    return this.#select(
      "held_version > ? AND held_version <= ? LIMIT ?",
      this.#identity.releasedThrough,
      version,
      limit,
    );
  }

  /** Returns files that failed up to this time and have a URL, oldest failure first. */
  failuresWithUrl(settledBy: number, limit: number): FileVersions[] {
    return this.#select(
      `${FAILED_WITH_URL} AND current ->> '$.settled_at' <= ? ORDER BY current ->> '$.settled_at' LIMIT ?`,
      settledBy,
      limit,
    );
  }

  /** Returns the time of the oldest failure with a URL, in Unix milliseconds. Null without any. */
  oldestFailureWithUrl(): number | null {
    return (
      this.#database.read<{ oldest: number | null }>(
        `SELECT min(current ->> '$.settled_at') oldest FROM files WHERE ${FAILED_WITH_URL}`,
      )[0]?.oldest ?? null
    );
  }

  /** Returns failed files of an import, without those that its cancellation skipped. */
  failuresOf(importId: string, limit: number): FileVersions[] {
    return this.#select(
      "import_id = ? AND state = 'failed' AND current ->> '$.fault.code' <> 'import_cancelled' ORDER BY file_id LIMIT ?",
      importId,
      limit,
    );
  }

  /** Returns failed and skipped files of an import that can be retried, oldest first. */
  retryableOf(importId: string, by: RetriedBy, limit: number): FileVersions[] {
    return this.#select(
      `import_id = ? AND state = 'failed' AND held IS NULL AND (current ->> '$.submission.callback_url' IS NOT NULL
         OR current ->> '$.submission.object_key' IS NOT NULL)
         ${by === "partner" ? "AND current ->> '$.fault.retryable' = 1" : ""}
       ORDER BY current ->> '$.settled_at', file_id LIMIT ?`,
      importId,
      limit,
    );
  }

  /**
   * Returns the next files of an import that are not dispatched yet, by file id: held versions in its range, and
   * versions that are stored as queued because a newer ping of the file was held.
   */
  toDrain(row: ImportState, limit: number): { file_id: string; version: number }[] {
    return this.#database.read<{ file_id: string; version: number }>(
      `SELECT file_id, CASE WHEN held_version > ?2 AND held_version <= ?3 THEN held_version ELSE version END version
       FROM files
       WHERE file_id > ?1 AND ((held_version > ?2 AND held_version <= ?3)
         OR (state = 'queued' AND import_id = ?5 AND version > ?2 AND version <= ?3))
       ORDER BY file_id LIMIT ?4`,
      row.drained_to ?? "",
      row.after_version,
      row.through_version,
      limit,
      row.import_id,
    );
  }

  /** Returns the number of an import's files that are not settled yet. */
  countPending(row: ImportState): number {
    return this.#count(`SELECT count(*) count FROM files WHERE ${PENDING}`, ...rangeOf(row));
  }

  /** Returns the next files of a cancelled import that are not settled yet, by file id. */
  toSkip(row: ImportState, limit: number): FileVersions[] {
    return this.#select(
      `(${PENDING}) AND file_id > ?4 ORDER BY file_id LIMIT ?5`,
      ...rangeOf(row),
      row.skipped_to ?? "",
      limit,
    );
  }

  /** Returns the indexes of those files that were never pinged. */
  missing(fileIds: readonly string[]): number[] {
    const known = new Set<string>();
    for (const slice of jsonSlices(fileIds)) {
      const rows = this.#database.read<{ file_id: string }>(
        "SELECT file_id FROM files WHERE file_id IN (SELECT value FROM json_each(?))",
        slice,
      );
      for (const row of rows) known.add(row.file_id);
    }
    return fileIds.flatMap((fileId, index) => (known.has(fileId) ? [] : [index]));
  }

  rememberDuplicates(fileIds: readonly string[]): void {
    for (const slice of jsonSlices(fileIds)) {
      this.#database.write(
        `INSERT INTO remembered_duplicates (file_id)
         SELECT value FROM json_each(?) WHERE true ON CONFLICT DO NOTHING`,
        slice,
      );
    }
  }

  /** Returns the number of remembered duplicates without a held version. */
  countDuplicates(): number {
    return this.#count(
      `SELECT count(*) count FROM remembered_duplicates d WHERE NOT EXISTS
         (SELECT 1 FROM files f WHERE f.file_id = d.file_id AND f.held_version > ?)`,
      this.#identity.releasedThrough,
    );
  }

  deleteDuplicates(): void {
    this.#database.change("DELETE FROM remembered_duplicates");
  }

  #count(query: string, ...bindings: (string | number)[]): number {
    return this.#database.read<{ count: number | null }>(query, ...bindings)[0]?.count ?? 0;
  }

  eraseUpTo(version: number): void {
    this.#database.change(
      "DELETE FROM files WHERE coalesce(version, 0) <= ? AND coalesce(held_version, 0) <= ?",
      version,
      version,
    );
    this.#database.change(
      `UPDATE files SET version = NULL, state = NULL, import_id = NULL, current = NULL,
         sequence_number = held ->> '$.sequence_number' WHERE version <= ?`,
      version,
    );
    this.#database.change("UPDATE files SET edits = NULL WHERE edits ->> '$.file_version' <= ?", version);
    this.#database.change(
      "DELETE FROM remembered_duplicates WHERE file_id NOT IN (SELECT file_id FROM files)",
    );
  }

  hasAnyUpTo(version: number): boolean {
    const found = this.#database.read(
      "SELECT 1 FROM files WHERE version <= ?1 OR held_version <= ?1 LIMIT 1",
      version,
    );
    return found.length > 0;
  }

  /** Returns the newest version of all files. 0 without files. */
  newestVersion(): number {
    return this.#count("SELECT max(max(coalesce(version, 0), coalesce(held_version, 0))) count FROM files");
  }

  hasAnyAfter(version: number): boolean {
    const found = this.#database.read(
      "SELECT 1 FROM files WHERE version > ?1 OR held_version > ?1 LIMIT 1",
      version,
    );
    return found.length > 0;
  }

  /** Returns the keys of inline or kept bytes that versions up to this one reference. */
  objectKeysUpTo(version: number): string[] {
    return this.#database
      .read<{ key: string | null }>(
        `SELECT current ->> '$.submission.object_key' key FROM files WHERE version <= ?1
         UNION SELECT held ->> '$.object_key' FROM files WHERE held_version <= ?1`,
        version,
      )
      .flatMap(({ key }) => (key === null ? [] : [key]));
  }
}
