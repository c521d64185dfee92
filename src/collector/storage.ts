import { jsonSlices } from "../sql.ts";
import type { Claimant } from "./calls.ts";
import {
  firstRevision,
  type CurrentVersion,
  type HeldVersion,
  type LedgerRow,
  type Submission,
} from "./ledger.ts";

/** SQL of the collector's own database. Every method is synchronous: what one turn writes is one commit. */

export type QueueName = "PRIORITY" | "BULK" | "RETRY";

export interface Dispatch {
  dispatch_id: string;
  queue: QueueName;
  /** [file_id, version] of each file still to settle. */
  files: [string, number][];
  state: "unsent" | "sent" | "claimed";
  /** unsent: when to send; sent: when to send again; claimed: when the claim ends. */
  due_at: number;
  /** Who has claimed it, last. */
  claim: Claimant | null;
  /** Claims so far, also those of the dispatch that this one was split from. */
  claims: number;
  /** Claims that expired without a report. */
  unheard: number;
  /** Whether its file is imported with no other file in memory. */
  exclusive: boolean;
}

export interface ImportRow {
  import_id: string;
  event_id: string | null;
  is_initial_import: boolean;
  /** Held versions in (after_version, through_version] belong to it. */
  after_version: number;
  through_version: number;
  total: number;
  imported: number;
  skipped: number;
  failed: number;
  status: "running" | "completed" | "completed_with_failures";
  requested_at: number;
  completed_at: number | null;
  /** The last file id handed to dispatches; null when all are. */
  drained_to: string | null;
  plan_requested: boolean;
  revision: number;
  /** Whether its completion was told to all who wait for it. */
  announced: boolean;
  /** The revision that D1 has; behind `revision` means there is something to project. */
  projected_revision: number;
}

export type OutboxEntry =
  | { kind: "project_files"; file_ids: string[] }
  /** An object that no version in the ledger names; it goes unless D1 still reads from it. */
  | { kind: "discard_object"; file_id: string; object_key: string }
  | { kind: "complete_import"; import_id: string };

export interface About {
  partner_id: string;
  user_id: string;
  source: string;
  /** Held versions up to this one were released by a task. */
  released_through: number;
  /** When to look for held pings and kept URLs past their age; null: none there. */
  housekeeping_at: number | null;
}

/** A number in the outbox is never used twice: an entry that was erased may still be in an alarm's hands. */
const TABLES = `
  CREATE TABLE IF NOT EXISTS about (
    only INTEGER PRIMARY KEY CHECK (only = 1), partner_id TEXT NOT NULL, user_id TEXT NOT NULL,
    source TEXT NOT NULL, released_through INTEGER NOT NULL, housekeeping_at INTEGER);
  CREATE TABLE IF NOT EXISTS files (
    file_id TEXT PRIMARY KEY, summary_id TEXT NOT NULL, revision INTEGER NOT NULL,
    version INTEGER, state TEXT, import_id TEXT, current TEXT,
    held_version INTEGER, held TEXT) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS remembered_duplicates (file_id TEXT PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS imports (
    import_id TEXT PRIMARY KEY, after_version INTEGER NOT NULL, through_version INTEGER NOT NULL,
    import TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS dispatches (
    dispatch_id TEXT PRIMARY KEY, queue TEXT NOT NULL, files TEXT NOT NULL, state TEXT NOT NULL,
    due_at INTEGER NOT NULL, claim TEXT, claims INTEGER NOT NULL, unheard INTEGER NOT NULL,
    exclusive INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS erased (only INTEGER PRIMARY KEY CHECK (only = 1), before_version INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, entry TEXT NOT NULL);
`;

type FileRecord = {
  file_id: string;
  summary_id: string;
  revision: number;
  version: number | null;
  state: string | null;
  import_id: string | null;
  current: string | null;
  held_version: number | null;
  held: string | null;
};

/** The columns hold what this class wrote, so their shape is known; a schema would cost more than the work. */
function asWritten<T>(value: unknown): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only this class writes these tables
  return value as T;
}

function parsed<T>(json: string): T {
  return asWritten<T>(JSON.parse(json));
}

/** Ids in one outbox entry: with 5,000 of them a row stays far below SQLite's 2 MB. */
const FILES_PER_ENTRY = 5_000;

function bounded(entry: OutboxEntry): OutboxEntry[] {
  if (entry.kind !== "project_files") return [entry];
  const entries: OutboxEntry[] = [];
  for (let start = 0; start < entry.file_ids.length; start += FILES_PER_ENTRY) {
    entries.push({ ...entry, file_ids: entry.file_ids.slice(start, start + FILES_PER_ENTRY) });
  }
  return entries;
}

type Value = string | number | null;

/**
 * The tables are created by the first write. A collector that is only read, such as by a dry run or for a user that
 * does not exist, stores nothing.
 */
export class CollectorStorage {
  readonly #sql: SqlStorage;
  #hasTables = false;
  #about: About | null = null;
  #erasedBefore = 0;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.reload();
  }

  /** Rows of a query; none before the first write. */
  #read<T extends Record<string, SqlStorageValue>>(query: string, ...bindings: Value[]): T[] {
    return this.#hasTables ? this.#sql.exec<T>(query, ...bindings).toArray() : [];
  }

  /** Runs a statement that adds rows. */
  #write(statement: string, ...bindings: Value[]): void {
    if (!this.#hasTables) {
      this.#sql.exec(TABLES);
      this.#hasTables = true;
    }
    this.#sql.exec(statement, ...bindings);
  }

  /** Runs a statement that only changes or deletes rows; before the first write none exist. */
  #change(statement: string, ...bindings: Value[]): void {
    if (this.#hasTables) this.#sql.exec(statement, ...bindings);
  }

  /** Reads what is kept in memory: at the start, and after a rollback, which does not reach there. */
  reload(): void {
    this.#hasTables = this.#sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'about'").toArray().length > 0;
    this.#about =
      this.#read<{
        partner_id: string;
        user_id: string;
        source: string;
        released_through: number;
        housekeeping_at: number | null;
      }>("SELECT partner_id, user_id, source, released_through, housekeeping_at FROM about")[0] ?? null;
    this.#erasedBefore =
      this.#read<{ before_version: number }>("SELECT before_version FROM erased")[0]?.before_version ?? 0;
  }

  /** Null until the first ping or task. */
  get about(): About | null {
    return this.#about;
  }

  writeAbout(about: About): void {
    this.#about = about;
    this.#write(
      "INSERT OR REPLACE INTO about VALUES (1, ?, ?, ?, ?, ?)",
      about.partner_id,
      about.user_id,
      about.source,
      about.released_through,
      about.housekeeping_at,
    );
  }

  /** Versions up to here are taken or gone: released by a task, or erased with their person. */
  versionFloor(): number {
    return Math.max(this.#releasedThrough, this.#erasedBefore);
  }

  /** Everything up to here was erased with its person; 0: nothing was. */
  get erasedBefore(): number {
    return this.#erasedBefore;
  }

  /** Everything up to the version goes; the bound stays, so that no version starts again below it. */
  erase(beforeVersion: number): void {
    this.#write(
      `INSERT INTO erased VALUES (1, ?) ON CONFLICT (only)
       DO UPDATE SET before_version = max(before_version, excluded.before_version)`,
      beforeVersion,
    );
    this.#erasedBefore = Math.max(this.#erasedBefore, beforeVersion);
    this.#change(
      "DELETE FROM files WHERE coalesce(version, 0) <= ? AND coalesce(held_version, 0) <= ?",
      beforeVersion,
      beforeVersion,
    );
    this.#change(
      "UPDATE files SET version = NULL, state = NULL, import_id = NULL, current = NULL WHERE version <= ?",
      beforeVersion,
    );
    this.#change("DELETE FROM imports WHERE import ->> 'requested_at' <= ?", beforeVersion);
    this.#change(
      `DELETE FROM dispatches WHERE NOT EXISTS (SELECT 1 FROM json_each(files) f
         WHERE f.value ->> 1 > ?)`,
      beforeVersion,
    );
    this.#change("DELETE FROM remembered_duplicates WHERE file_id NOT IN (SELECT file_id FROM files)");
    if (!this.#endsWith(beforeVersion)) return;
    this.#change("DELETE FROM outbox");
    this.#change("DELETE FROM about");
    this.#about = null;
  }

  /** Deletes the bound of the last erasure. */
  forgetErasure(): void {
    this.#change("DELETE FROM erased");
    this.#erasedBefore = 0;
  }

  /** Whether nothing here is newer. */
  #endsWith(version: number): boolean {
    return (
      this.#read(
        `SELECT 1 FROM files WHERE version > ?1 OR held_version > ?1
           UNION ALL SELECT 1 FROM imports WHERE import ->> 'requested_at' > ?1 LIMIT 1`,
        version,
      ).length === 0
    );
  }

  /**
   * Keys of inline bytes, or of bytes kept from a failure, that versions up to this one name; also of those
   * about to be discarded, if nothing here is newer.
   */
  objectKeysBefore(version: number): string[] {
    return this.#read<{ key: string | null }>(
      `SELECT current ->> '$.submission.object_key' key FROM files WHERE version <= ?1
         UNION SELECT held ->> '$.object_key' FROM files WHERE held_version <= ?1
         UNION SELECT entry ->> 'object_key' FROM outbox WHERE entry ->> 'kind' = 'discard_object' AND ?2`,
      version,
      this.#endsWith(version) ? 1 : 0,
    ).flatMap(({ key }) => (key === null ? [] : [key]));
  }

  get #releasedThrough(): number {
    return this.#about?.released_through ?? 0;
  }

  /** A held version that a task has released reads as dispatched: releasing writes no file row. */
  #fileRow(record: FileRecord): LedgerRow {
    const row: LedgerRow = {
      file_id: record.file_id,
      summary_id: record.summary_id,
      revision: record.revision,
      current: null,
      held: null,
    };
    if (record.current !== null) row.current = parsed<CurrentVersion>(record.current);
    if (record.held_version === null || record.held === null) return row;
    const held: HeldVersion = { version: record.held_version, submission: parsed<Submission>(record.held) };
    if (held.version > this.#releasedThrough) return { ...row, held };
    const current: CurrentVersion = {
      version: held.version,
      state: "queued",
      submission: held.submission,
      import_id: this.#importOfVersion(held.version),
      attempts: 0,
      first_fault: null,
      fault: null,
      failed_object: null,
      settled_at: null,
    };
    return { ...row, revision: Math.max(row.revision, firstRevision(held.version)), current };
  }

  readFiles(fileIds: readonly string[]): Map<string, LedgerRow> {
    const rows = new Map<string, LedgerRow>();
    for (const slice of jsonSlices(fileIds)) {
      const records = this.#read<FileRecord>(
        "SELECT * FROM files WHERE file_id IN (SELECT value FROM json_each(?))",
        slice,
      );
      for (const record of records) rows.set(record.file_id, this.#fileRow(record));
    }
    return rows;
  }

  writeFiles(rows: readonly LedgerRow[]): void {
    const values = rows.map((row) => [
      row.file_id,
      row.summary_id,
      row.revision,
      row.current?.version ?? null,
      row.current?.state ?? null,
      row.current?.import_id ?? null,
      row.current === null ? null : JSON.stringify(row.current),
      row.held?.version ?? null,
      row.held === null ? null : JSON.stringify(row.held.submission),
    ]);
    for (const slice of jsonSlices(values)) {
      this.#write(
        `INSERT INTO files
         SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8
         FROM json_each(?) WHERE true
         ON CONFLICT (file_id) DO UPDATE SET revision = excluded.revision, version = excluded.version,
           state = excluded.state, import_id = excluded.import_id, current = excluded.current,
           held_version = excluded.held_version, held = excluded.held`,
        slice,
      );
    }
  }

  /** What a task finds: files held and not released. */
  countHeld(): { count: number; newest: number; oldest: number } {
    const found = this.#read<{ count: number; newest: number | null; oldest: number | null }>(
      "SELECT count(*) count, max(held_version) newest, min(held_version) oldest FROM files WHERE held_version > ?",
      this.#releasedThrough,
    )[0];
    return { count: found?.count ?? 0, newest: found?.newest ?? 0, oldest: found?.oldest ?? 0 };
  }

  /** Files with a version in flight and a newer one held: at a release the newer takes over. */
  filesInFlightAndHeld(): LedgerRow[] {
    return this.#read<FileRecord>(
      "SELECT * FROM files WHERE state = 'queued' AND held_version > ?",
      this.#releasedThrough,
    ).map((record) => this.#fileRow(record));
  }

  heldBefore(version: number, limit: number): LedgerRow[] {
    return this.#read<FileRecord>(
      "SELECT * FROM files WHERE held_version > ? AND held_version <= ? LIMIT ?",
      this.#releasedThrough,
      version,
      limit,
    ).map((record) => this.#fileRow(record));
  }

  /** Failed files that still keep a URL for a retry. */
  keptFailures(): LedgerRow[] {
    return this.#read<FileRecord>(
      `SELECT * FROM files WHERE state = 'failed' AND current->>'$.submission.callback_url' IS NOT NULL`,
    ).map((record) => this.#fileRow(record));
  }

  failuresOfImport(importId: string, limit: number): LedgerRow[] {
    return this.#read<FileRecord>(
      "SELECT * FROM files WHERE import_id = ? AND state = 'failed' ORDER BY file_id LIMIT ?",
      importId,
      limit,
    ).map((record) => this.#fileRow(record));
  }

  /**
   * The next files of an import that no dispatch has taken yet, by file id: held versions in its range, and
   * those that stand as dispatched because a newer ping of the file was held meanwhile.
   */
  filesToDrain(row: ImportRow, limit: number): { file_id: string; version: number }[] {
    return this.#read<{ file_id: string; version: number }>(
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

  /** Files of an import that are still to settle. */
  countPending(row: ImportRow): number {
    return (
      this.#read<{ count: number }>(
        `SELECT count(*) count FROM files WHERE (held_version > ?1 AND held_version <= ?2)
           OR (state = 'queued' AND import_id = ?3 AND current ->> 'retried' IS NOT 1)`,
        row.after_version,
        row.through_version,
        row.import_id,
      )[0]?.count ?? 0
    );
  }

  /** Places in the list of the files that were never pinged. */
  missing(fileIds: readonly string[]): number[] {
    const known = new Set<string>();
    for (const slice of jsonSlices(fileIds)) {
      const rows = this.#read<{ file_id: string }>(
        "SELECT file_id FROM files WHERE file_id IN (SELECT value FROM json_each(?))",
        slice,
      );
      for (const row of rows) known.add(row.file_id);
    }
    return fileIds.flatMap((fileId, place) => (known.has(fileId) ? [] : [place]));
  }

  rememberDuplicates(fileIds: readonly string[]): void {
    for (const slice of jsonSlices(fileIds)) {
      this.#write(
        "INSERT INTO remembered_duplicates SELECT value FROM json_each(?) WHERE true ON CONFLICT DO NOTHING",
        slice,
      );
    }
  }

  /** Remembered duplicates that are not held themselves. */
  countDuplicates(): number {
    return (
      this.#read<{ count: number }>(
        `SELECT count(*) count FROM remembered_duplicates d WHERE NOT EXISTS
           (SELECT 1 FROM files f WHERE f.file_id = d.file_id AND f.held_version > ?)`,
        this.#releasedThrough,
      )[0]?.count ?? 0
    );
  }

  forgetDuplicates(): void {
    this.#change("DELETE FROM remembered_duplicates");
  }

  #importOfVersion(version: number): string | null {
    return (
      this.#read<{ import_id: string }>(
        "SELECT import_id FROM imports WHERE after_version < ? AND through_version >= ?",
        version,
        version,
      )[0]?.import_id ?? null
    );
  }

  readImport(importId: string): ImportRow | null {
    const record = this.#read<{ import: string }>(
      "SELECT import FROM imports WHERE import_id = ?",
      importId,
    )[0];
    return record === undefined ? null : parsed<ImportRow>(record.import);
  }

  readImports(): ImportRow[] {
    return this.#read<{ import: string }>("SELECT import FROM imports").map((record) =>
      parsed<ImportRow>(record.import),
    );
  }

  writeImport(row: ImportRow): void {
    this.#write(
      `INSERT INTO imports VALUES (?, ?, ?, ?) ON CONFLICT (import_id) DO UPDATE SET import = excluded.import`,
      row.import_id,
      row.after_version,
      row.through_version,
      JSON.stringify(row),
    );
  }

  deleteImport(importId: string): void {
    this.#change("DELETE FROM imports WHERE import_id = ?", importId);
  }

  readDispatch(dispatchId: string): Dispatch | null {
    return this.#dispatches("SELECT * FROM dispatches WHERE dispatch_id = ?", dispatchId)[0] ?? null;
  }

  dueDispatches(nowMs: number, limit: number): Dispatch[] {
    return this.#dispatches(
      "SELECT * FROM dispatches WHERE due_at <= ? ORDER BY due_at LIMIT ?",
      nowMs,
      limit,
    );
  }

  #dispatches(query: string, ...bindings: (string | number)[]): Dispatch[] {
    return this.#read<{
      dispatch_id: string;
      queue: string;
      files: string;
      state: string;
      due_at: number;
      claim: string | null;
      claims: number;
      unheard: number;
      exclusive: number;
    }>(query, ...bindings).map((record) => ({
      ...record,
      queue: asWritten<QueueName>(record.queue),
      state: asWritten<Dispatch["state"]>(record.state),
      files: parsed<[string, number][]>(record.files),
      claim: record.claim === null ? null : parsed<Claimant>(record.claim),
      exclusive: record.exclusive === 1,
    }));
  }

  countDispatches(queue: QueueName): number {
    return (
      this.#read<{ count: number }>("SELECT count(*) count FROM dispatches WHERE queue = ?", queue)[0]
        ?.count ?? 0
    );
  }

  writeDispatches(dispatches: readonly Dispatch[]): void {
    const values = dispatches.map((dispatch) => [
      dispatch.dispatch_id,
      dispatch.queue,
      JSON.stringify(dispatch.files),
      dispatch.state,
      dispatch.due_at,
      dispatch.claim === null ? null : JSON.stringify(dispatch.claim),
      dispatch.claims,
      dispatch.unheard,
      dispatch.exclusive ? 1 : 0,
    ]);
    for (const slice of jsonSlices(values)) {
      this.#write(
        `INSERT INTO dispatches
         SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7,
           value->>8
         FROM json_each(?) WHERE true
         ON CONFLICT (dispatch_id) DO UPDATE SET files = excluded.files, state = excluded.state,
           due_at = excluded.due_at, claim = excluded.claim, claims = excluded.claims, unheard = excluded.unheard,
           exclusive = excluded.exclusive`,
        slice,
      );
    }
  }

  /** What was sent now is due again at the instant. */
  markSent(dispatchIds: readonly string[], dueAt: number): void {
    this.#markSent(dispatchIds, "?1", dueAt);
  }

  /** What was sent as soon as it was written is due again so much later than it was to be sent. */
  markSentAtOnce(dispatchIds: readonly string[], laterMs: number): void {
    this.#markSent(dispatchIds, "due_at + ?1", laterMs);
  }

  /** Only those still unsent: a consumer may have claimed one while its send was confirmed. */
  #markSent(dispatchIds: readonly string[], dueAt: "?1" | "due_at + ?1", value: number): void {
    for (const slice of jsonSlices(dispatchIds)) {
      this.#change(
        `UPDATE dispatches SET state = 'sent', due_at = ${dueAt}
         WHERE state = 'unsent' AND dispatch_id IN (SELECT value FROM json_each(?2))`,
        value,
        slice,
      );
    }
  }

  deleteDispatch(dispatchId: string): void {
    this.#change("DELETE FROM dispatches WHERE dispatch_id = ?", dispatchId);
  }

  earliestDispatch(): number | null {
    return (
      this.#read<{ due_at: number | null }>("SELECT min(due_at) due_at FROM dispatches")[0]?.due_at ?? null
    );
  }

  addToOutbox(entries: readonly OutboxEntry[]): void {
    for (const entry of entries.flatMap(bounded))
      this.#write("INSERT INTO outbox (entry) VALUES (?)", JSON.stringify(entry));
  }

  outbox(limit: number): { seq: number; entry: OutboxEntry }[] {
    return this.#read<{ seq: number; entry: string }>(
      "SELECT seq, entry FROM outbox ORDER BY seq LIMIT ?",
      limit,
    ).map((record) => ({ seq: record.seq, entry: parsed<OutboxEntry>(record.entry) }));
  }

  removeFromOutbox(seq: number): void {
    this.#change("DELETE FROM outbox WHERE seq = ?", seq);
  }
}
