import { jsonSlices } from "../../database/sql.ts";
import type { Claimant } from "../calls.ts";
import { DISPATCH_STATES, QUEUES, type Dispatch } from "../dispatches/dispatch.pure.ts";
import type { CollectorDatabase } from "./database.ts";
import { count, fieldsOfJson, list, memberOf, text } from "../../database/parse.ts";

const COLUMNS =
  "dispatch_id, queue, files, state, due_at, sent_at, claim, claims, expired_claims, exclusive, postponed, prefetch";

type DispatchRow = {
  dispatch_id: string;
  queue: string;
  files: string;
  state: string;
  due_at: number;
  sent_at: number | null;
  claim: string | null;
  claims: number;
  expired_claims: number;
  exclusive: number;
  postponed: number;
  prefetch: number;
};

export class DispatchStorage {
  readonly #database: CollectorDatabase;

  constructor(database: CollectorDatabase) {
    this.#database = database;
  }

  read(dispatchId: string): Dispatch | null {
    return this.#select("dispatch_id = ?", dispatchId)[0] ?? null;
  }

  /** Returns those of the dispatches that are still open. */
  readAll(dispatchIds: readonly string[]): Dispatch[] {
    return jsonSlices(dispatchIds).flatMap((slice) =>
      this.#select("dispatch_id IN (SELECT value FROM json_each(?))", slice),
    );
  }

  /** Returns the ids of all open live ride dispatches. */
  idsOfLiveRides(): string[] {
    return this.#database
      .read<{ dispatch_id: string }>("SELECT dispatch_id FROM dispatches WHERE queue = 'PRIORITY'")
      .map((row) => row.dispatch_id);
  }

  /** Returns the versions that an importer has claimed, by file id. */
  claimedVersions(): Map<string, Set<number>> {
    return versionsIn(this.#select("state = 'claimed'"));
  }

  /** Returns the due dispatches, longest overdue first. */
  due(nowMs: number, limit: number): Dispatch[] {
    return this.#select("due_at <= ? ORDER BY due_at LIMIT ?", nowMs, limit);
  }

  #select(condition: string, ...bindings: (string | number)[]): Dispatch[] {
    return this.#database
      .read<DispatchRow>(`SELECT ${COLUMNS} FROM dispatches WHERE ${condition}`, ...bindings)
      .map(parseDispatch);
  }

  /** Returns the number of open dispatches of imports. */
  countBulk(): number {
    return this.#count("queue = 'BULK' AND prefetch = 0");
  }

  /** Returns the number of open dispatches that download held files, without those that wait for their next attempt. */
  countPrefetches(nowMs: number): number {
    return this.#count("prefetch = 1 AND (state <> 'unsent' OR postponed = 1 OR due_at <= ?)", nowMs);
  }

  /** Returns the versions in dispatches that were made to download held files, by file id. */
  prefetchedVersions(): Map<string, Set<number>> {
    return versionsIn(this.#select("prefetch = 1"));
  }

  /** Deletes the unclaimed dispatches that download held files, except those with a version up to this one. */
  deletePrefetches(version: number): void {
    this.#database.change(
      `DELETE FROM dispatches WHERE prefetch = 1 AND state <> 'claimed'
         AND NOT EXISTS (SELECT 1 FROM json_each(files) f WHERE f.value ->> 1 <= ?)`,
      version,
    );
  }

  #count(condition: string, ...bindings: number[]): number {
    const [row] = this.#database.read<{ count: number }>(
      `SELECT count(*) count FROM dispatches WHERE ${condition}`,
      ...bindings,
    );
    return row?.count ?? 0;
  }

  write(dispatches: readonly Dispatch[]): void {
    const values = dispatches.map((dispatch) => [
      dispatch.dispatch_id,
      dispatch.queue,
      JSON.stringify(dispatch.files),
      dispatch.state,
      dispatch.due_at,
      dispatch.sent_at,
      dispatch.claim === null ? null : JSON.stringify(dispatch.claim),
      dispatch.claims,
      dispatch.expired_claims,
      dispatch.exclusive ? 1 : 0,
      dispatch.postponed ? 1 : 0,
      dispatch.prefetch ? 1 : 0,
    ]);
    for (const slice of jsonSlices(values)) {
      this.#database.write(
        `INSERT INTO dispatches (${COLUMNS})
         SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7,
           value->>8, value->>9, value->>10, value->>11
         FROM json_each(?) WHERE true
         ON CONFLICT (dispatch_id) DO UPDATE SET files = excluded.files, state = excluded.state,
           due_at = excluded.due_at, sent_at = excluded.sent_at, claim = excluded.claim, claims = excluded.claims,
           expired_claims = excluded.expired_claims, exclusive = excluded.exclusive`,
        slice,
      );
    }
  }

  /** Marks dispatches as sent, and due again at `dueAt`. */
  markSent(dispatchIds: readonly string[], dueAt: number): void {
    this.#markSent(dispatchIds, "?1", dueAt);
  }

  /** Marks dispatches that requests sent. They are due again `laterMs` after their previous due time. */
  markSentByRequests(dispatchIds: readonly string[], laterMs: number): void {
    this.#markSent(dispatchIds, "due_at + ?1", laterMs);
  }

  /** Changes only unsent dispatches: an importer may have claimed one before its send was confirmed. */
  #markSent(dispatchIds: readonly string[], dueAt: "?1" | "due_at + ?1", value: number): void {
    for (const slice of jsonSlices(dispatchIds)) {
      this.#database.change(
        `UPDATE dispatches SET state = 'sent', due_at = ${dueAt}
         WHERE state = 'unsent' AND dispatch_id IN (SELECT value FROM json_each(?2))`,
        value,
        slice,
      );
    }
  }

  delete(dispatchId: string): void {
    this.#database.change("DELETE FROM dispatches WHERE dispatch_id = ?", dispatchId);
  }

  earliestDue(): number | null {
    const [row] = this.#database.read<{ due_at: number | null }>("SELECT min(due_at) due_at FROM dispatches");
    return row?.due_at ?? null;
  }

  /** Deletes the dispatches that contain only versions up to this one. */
  eraseUpTo(version: number): void {
    this.#database.change(
      "DELETE FROM dispatches WHERE NOT EXISTS (SELECT 1 FROM json_each(files) f WHERE f.value ->> 1 > ?)",
      version,
    );
  }
}

function versionsIn(dispatches: readonly Dispatch[]): Map<string, Set<number>> {
  const versions = new Map<string, Set<number>>();
  for (const [fileId, version] of dispatches.flatMap(({ files }) => files)) {
    versions.set(fileId, (versions.get(fileId) ?? new Set()).add(version));
  }
  return versions;
}

function parseDispatch(row: DispatchRow): Dispatch {
  return {
    dispatch_id: row.dispatch_id,
    queue: memberOf(QUEUES, row.queue),
    files: list(JSON.parse(row.files)).map((file): [string, number] => {
      const [fileId, version] = list(file);
      return [text(fileId), count(version)];
    }),
    state: memberOf(DISPATCH_STATES, row.state),
    due_at: row.due_at,
    sent_at: row.sent_at,
    claim: row.claim === null ? null : parseClaimant(row.claim),
    claims: row.claims,
    expired_claims: row.expired_claims,
    exclusive: row.exclusive === 1,
    postponed: row.postponed === 1,
    prefetch: row.prefetch === 1,
  };
}

function parseClaimant(json: string): Claimant {
  const { claim, message_id, attempt } = fieldsOfJson(json);
  return { claim: text(claim), message_id: text(message_id), attempt: count(attempt) };
}
