import { CollectorDatabase, type UnreadableSchema } from "./database.ts";
import { DispatchStorage } from "./dispatches.ts";
import { FileStorage } from "./files.ts";
import { IdentityStorage } from "./identity.ts";
import { ImportStorage } from "./imports.ts";
import { OutboxStorage } from "./outbox.ts";
import type { Migration } from "./schema.ts";

/**
 * What a collector stores, by subject. Every method is synchronous, so that all writes of a turn are one commit. Make
 * it inside a transaction: tables that an older version of the code has written are migrated.
 */
export class CollectorStorage {
  readonly identity: IdentityStorage;
  readonly files: FileStorage;
  readonly imports: ImportStorage;
  readonly dispatches: DispatchStorage;
  readonly outbox: OutboxStorage;
  readonly #database: CollectorDatabase;

  constructor(sql: SqlStorage, migrations?: readonly Migration[]) {
    this.#database = new CollectorDatabase(sql, migrations);
    this.identity = new IdentityStorage(this.#database);
    this.imports = new ImportStorage(this.#database);
    this.files = new FileStorage(this.#database, this.identity, this.imports);
    this.dispatches = new DispatchStorage(this.#database);
    this.outbox = new OutboxStorage(this.#database);
    if (this.refusal === null) this.identity.reload();
  }

  /** Why every other call throws; null unless a newer version of the code has changed the tables. */
  get refusal(): UnreadableSchema | null {
    return this.#database.refusal;
  }

  /** Reads again what is cached in memory: a rollback does not reach that. */
  reload(): void {
    this.#database.open();
    if (this.refusal === null) this.identity.reload();
  }

  /** Everything up to this version was erased; 0 before the first erasure. */
  get erasedBefore(): number {
    return this.identity.erasedBefore;
  }

  /** The newest version of a file, or the time of the newest import; 0 for neither. */
  newestVersion(): number {
    return Math.max(this.files.newestVersion(), this.imports.newest());
  }

  /** No new version starts at or below this one: versions up to it are released or erased. */
  versionFloor(): number {
    return Math.max(this.identity.releasedThrough, this.erasedBefore);
  }

  /** Erases everything up to the version, and the identity if nothing newer is left. */
  eraseUpTo(version: number): void {
    this.identity.noteErasure(version);
    this.files.eraseUpTo(version);
    this.imports.eraseUpTo(version);
    this.dispatches.eraseUpTo(version);
    if (this.#hasAnyAfter(version)) return;
    this.outbox.clear();
    this.identity.forget();
  }

  /** Keys of objects that only versions up to this one reference; also those about to be discarded, if none is newer. */
  objectKeysUpTo(version: number): string[] {
    const discarded = this.#hasAnyAfter(version) ? [] : this.outbox.discardedKeys();
    return [...this.files.objectKeysUpTo(version), ...discarded];
  }

  #hasAnyAfter(version: number): boolean {
    return this.files.hasAnyAfter(version) || this.imports.hasAnyAfter(version);
  }
}
