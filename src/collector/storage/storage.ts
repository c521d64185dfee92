import { CollectorDatabase, type UnreadableSchema } from "./database.ts";
import { DeletedFileStorage } from "./deletedFiles.ts";
import { DispatchStorage } from "./dispatches.ts";
import { FileStorage } from "./files.ts";
import { IdentityStorage } from "./identity.ts";
import { ImportStorage } from "./imports.ts";
import { OutboxStorage } from "./outbox.ts";
import { PrefetchStorage } from "./prefetches.ts";
import type { Migration } from "./schema.ts";

/**
 * Storage of a collector, by subject. Every method is synchronous, so that all writes of a turn are one commit.
 * Construct it inside a transaction, because it may run migrations.
 */
export class CollectorStorage {
  readonly identity: IdentityStorage;
  readonly files: FileStorage;
  readonly deletedFiles: DeletedFileStorage;
  readonly imports: ImportStorage;
  readonly dispatches: DispatchStorage;
  readonly prefetches: PrefetchStorage;
  readonly outbox: OutboxStorage;
  readonly #database: CollectorDatabase;

  constructor(sql: SqlStorage, migrations?: readonly Migration[]) {
    this.#database = new CollectorDatabase(sql, migrations);
    this.identity = new IdentityStorage(this.#database);
    this.imports = new ImportStorage(this.#database);
    this.files = new FileStorage(this.#database, this.identity, this.imports);
    this.deletedFiles = new DeletedFileStorage(this.#database);
    this.dispatches = new DispatchStorage(this.#database);
    this.prefetches = new PrefetchStorage(this.#database);
    this.outbox = new OutboxStorage(this.#database);
    if (this.refusal === null) this.identity.reload();
  }

  /** Error that every call throws when this code cannot read the tables. Null when it can. */
  get refusal(): UnreadableSchema | null {
    return this.#database.refusal;
  }

  /** Reads the cache again, because a rollback does not undo memory. */
  reload(): void {
    this.#database.open();
    if (this.refusal === null) this.identity.reload();
  }

  /** Bound of the last erasure: everything up to this version was erased. 0 without an erasure. */
  get erasedBefore(): number {
    return this.identity.erasedBefore;
  }

  /** Returns the newest version of a file, also of a deleted one, or the time of the newest import. 0 without any. */
  newestVersion(): number {
    return Math.max(this.files.newestVersion(), this.deletedFiles.newest(), this.imports.newest());
  }

  /** Returns the version that new versions must exceed, because versions up to it are released or erased. */
  versionFloor(): number {
    return Math.max(this.identity.releasedThrough, this.erasedBefore);
  }

  /** Erases everything up to the version. Deletes the identity when nothing newer is left. */
  eraseUpTo(version: number): void {
    this.identity.noteErasure(version);
    this.files.eraseUpTo(version);
    this.deletedFiles.deleteUpTo(version);
    this.imports.eraseUpTo(version);
    this.dispatches.eraseUpTo(version);
    if (this.#hasAnyAfter(version)) return;
    this.outbox.clear();
    this.prefetches.clear();
    this.identity.deleteNames();
  }

  /** Returns the keys of objects to delete with versions up to this one; with all versions, also discarded objects. */
  objectKeysUpTo(version: number): string[] {
    const discarded = this.#hasAnyAfter(version) ? [] : this.outbox.discardedKeys();
    return [...this.files.objectKeysUpTo(version), ...discarded];
  }

  #hasAnyAfter(version: number): boolean {
    return (
      this.files.hasAnyAfter(version) ||
      this.deletedFiles.newest() > version ||
      this.imports.hasAnyAfter(version)
    );
  }
}
