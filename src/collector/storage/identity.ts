import type { CollectorNames } from "../calls.ts";
import { identityOf, type CollectorIdentity } from "../identity.ts";
import type { CollectorDatabase } from "./database.ts";

type IdentityRow = {
  partner_id: string;
  user_id: string;
  source: string;
  database: string;
  released_through: number;
  housekeeping_at: number | null;
  introduced: number;
};

/** Names of the collector's user and source, and the bounds of its versions. Cached in memory. */
export class IdentityStorage {
  readonly #database: CollectorDatabase;
  #row: IdentityRow | null = null;
  #identity: CollectorIdentity | null = null;
  #erasedBefore = 0;

  constructor(database: CollectorDatabase) {
    this.#database = database;
  }

  /** Reads the cache from storage. Called at the start and after a rollback. */
  reload(): void {
    const rows = this.#database.read<IdentityRow>(
      "SELECT partner_id, user_id, source, database, released_through, housekeeping_at, introduced FROM identity",
    );
    this.#cache(rows[0] ?? null);
    this.#erasedBefore =
      this.#database.read<{ before_version: number }>("SELECT before_version FROM erased")[0]
        ?.before_version ?? 0;
  }

  /** Returns the identity. Null before the first ping or task, and after an erasure without later pings. */
  get(): CollectorIdentity | null {
    this.#database.assertReadable();
    return this.#identity;
  }

  /** Stores the names at the first call, because an alarm gets no arguments. */
  storeNames(names: CollectorNames): void {
    if (this.#row !== null) return;
    const { partner_id, user_id, source, database } = identityOf(names);
    this.#write({
      partner_id,
      user_id,
      source,
      database,
      released_through: 0,
      housekeeping_at: null,
      introduced: 0,
    });
  }

  /** Whether the read model lists this user and source, so that an erasure finds this collector. */
  get isIntroduced(): boolean {
    return this.#row?.introduced === 1;
  }

  noteIntroduction(): void {
    if (this.#row !== null && this.#row.introduced !== 1) this.#write({ ...this.#row, introduced: 1 });
  }

  /** Newest released version: held versions up to this one are released. */
  get releasedThrough(): number {
    return this.#row?.released_through ?? 0;
  }

  releaseThrough(version: number): void {
    if (this.#row !== null) this.#write({ ...this.#row, released_through: version });
  }

  /** Time of the next housekeeping in Unix milliseconds. Null when nothing can expire. */
  get housekeepingAt(): number | null {
    return this.#row?.housekeeping_at ?? null;
  }

  setHousekeeping(at: number | null): void {
    if (this.#row !== null) this.#write({ ...this.#row, housekeeping_at: at });
  }

  /** Bound of the last erasure: everything up to this version was erased. 0 without an erasure. */
  get erasedBefore(): number {
    return this.#erasedBefore;
  }

  noteErasure(version: number): void {
    this.#database.write(
      `INSERT INTO erased (only, before_version) VALUES (1, ?) ON CONFLICT (only)
       DO UPDATE SET before_version = max(before_version, excluded.before_version)`,
      version,
    );
    this.#erasedBefore = Math.max(this.#erasedBefore, version);
  }

  /** Deletes the bound of the last erasure. */
  deleteErasure(): void {
    this.#database.change("DELETE FROM erased");
    this.#erasedBefore = 0;
  }

  /** Deletes the names. The bound of the erasure stays, so that later versions are above it. */
  deleteNames(): void {
    this.#database.change("DELETE FROM identity");
    this.#cache(null);
  }

  #cache(row: IdentityRow | null): void {
    this.#row = row;
    this.#identity = row === null ? null : identityOf(row);
  }

  #write(row: IdentityRow): void {
    this.#cache(row);
    this.#database.write(
      `INSERT INTO identity (only, partner_id, user_id, source, database, released_through, housekeeping_at, introduced)
       VALUES (1, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (only) DO UPDATE SET released_through = excluded.released_through,
         housekeeping_at = excluded.housekeeping_at, introduced = excluded.introduced`,
      row.partner_id,
      row.user_id,
      row.source,
      row.database,
      row.released_through,
      row.housekeeping_at,
      row.introduced,
    );
  }
}
