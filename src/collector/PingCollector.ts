import { DurableObject } from "cloudflare:workers";
import type { EditChange } from "../files/edits.pure.ts";
import type { Timeline } from "../files/timeline.ts";
import type { FileProjection } from "../files/write.ts";
import type {
  AcceptedPings,
  AcceptSettings,
  AskedObject,
  CancelledImport,
  Claim,
  Claimant,
  CollectorNames,
  CollectorPage,
  Outcome,
  PingEntry,
  PingStatus,
  ReadImport,
  StartedImport,
  TaskEntry,
} from "./calls.ts";
import { claimDispatch } from "./dispatches/claimDispatch.ts";
import { abandonDispatch } from "./dispatches/expireClaim.ts";
import { putBackDispatch } from "./dispatches/putBackDispatch.ts";
import { reportOutcomes } from "./dispatches/reportOutcomes.ts";
import type { CollectorEnv } from "./env.ts";
import { acceptPings, previewPings } from "./files/acceptPings.ts";
import { deleteFile } from "./files/deleteFile.ts";
import { editFile } from "./files/editFile.ts";
import { readFile } from "./files/readFile.ts";
import { readPage } from "./files/readPage.ts";
import { readTimeline } from "./files/timeline.pure.ts";
import { previewRetry, retryFiles, type FailedFiles, type RetryPreview } from "./files/retryFiles.ts";
import { referencedObjects } from "./files/unreferencedObjects.ts";
import { identityOf } from "./identity.ts";
import { cancelImport } from "./imports/cancelImport.ts";
import { readImport } from "./imports/readImport.ts";
import { previewImport, startImport } from "./imports/startImport.ts";
import { projectDeletionsForRequest } from "./outbox/projectDeletions.ts";
import { collectorParts, type CollectorParts } from "./parts.ts";
import type { CollectorStorage } from "./storage/storage.ts";

/**
 * Owner of one user's files from one source: their versions, which of them are held, queued or settled, and the imports
 * that wait for them. This class commits, sends and sets the alarm. The decisions are in the files beside it. Rows,
 * outbox and alarm of one turn are one commit. The protocol is described in `README.md`.
 */
export class PingCollector extends DurableObject<CollectorEnv> {
  readonly #uncheckedParts: CollectorParts;

  constructor(ctx: DurableObjectState, env: CollectorEnv) {
    super(ctx, env);
    const parts = collectorParts(ctx, env);
    this.#uncheckedParts = parts;
    void ctx.blockConcurrencyWhile(() => parts.turns.readAlarm());
  }

  /** Parts of this collector. Every call goes through this getter, which sets a missing alarm. */
  get #parts(): CollectorParts {
    this.#uncheckedParts.alarm.ensure();
    return this.#uncheckedParts;
  }

  get #storage(): CollectorStorage {
    return this.#parts.turns.storage;
  }

  /** Accepts pings of this user and source, in order. Every ping that it accepts is settled later. */
  async accept(names: CollectorNames, entries: PingEntry[], set?: AcceptSettings): Promise<AcceptedPings> {
    const isListed = await this.#parts.introduction.introduce(names);
    const { turn, accepted, dispatches } = this.#parts.turns.commit(() => {
      this.#storage.identity.storeNames(names);
      if (isListed) this.#storage.identity.noteIntroduction();
      const turn = this.#parts.turns.begin(identityOf(names));
      return { turn, ...acceptPings(turn, entries, set?.prefetch) };
    });
    this.#parts.unprojected.add(dispatches);
    await this.#parts.sender.sendForRequest(turn, dispatches);
    return accepted;
  }

  /** Returns the status that `accept` would return for each ping now. Accepts none of them. */
  async previewPings(names: CollectorNames, entries: PingEntry[]): Promise<PingStatus[]> {
    return previewPings(this.#storage, identityOf(names), entries, Date.now());
  }

  /** Returns the newest version, or the time of a later import. An erasure must cover it. 0 without either. */
  async newestVersion(): Promise<number> {
    return this.#storage.newestVersion();
  }

  /** Sets an alarm that is missing or long overdue. Returns whether it set one. */
  async wake(): Promise<boolean> {
    return this.#uncheckedParts.alarm.ensure();
  }

  /** Releases all held versions as one import, or returns the import that an equal task started earlier. */
  async startImport(names: CollectorNames, task: TaskEntry): Promise<StartedImport> {
    return this.#parts.turns.commit(() => startImport(this.#parts.turns.begin(identityOf(names)), task));
  }

  /** Returns what `startImport` would return now. Releases nothing. */
  async previewImport(names: CollectorNames, task: TaskEntry): Promise<StartedImport> {
    return previewImport(this.#storage, identityOf(names), task, Date.now());
  }

  /** Returns the newest version of a file, with the file's names. Null for an unknown file. */
  async readFile(fileId: string): Promise<FileProjection | null> {
    return readFile(this.#storage, fileId);
  }

  /** Applies a partner's edit to a file. Returns the file. Null for an unknown file. */
  async editFile(fileId: string, change: EditChange): Promise<FileProjection | null> {
    return this.#parts.turns.commitIfKnown((turn) => editFile(turn, fileId, change));
  }

  /** Returns at most `limit` files after a file id, with the imports on the first page. Null without any data. */
  async readPage(after: string, limit: number): Promise<CollectorPage | null> {
    return readPage(this.#storage, after, limit);
  }

  /** Returns the events of a file's newest version, oldest first. Empty for an unknown file. */
  async timeline(fileId: string): Promise<Timeline["data"]> {
    return readTimeline(this.#storage, fileId);
  }

  /** Returns how many failed files `retry` would queue now. Queues none. */
  async previewRetry(which: FailedFiles, limit: number): Promise<RetryPreview> {
    return previewRetry(this.#storage, which, limit, Date.now());
  }

  /** Queues at most `limit` of the failed files that can be retried. Returns how many it queued. */
  async retry(which: FailedFiles, limit: number): Promise<number> {
    const turn = this.#parts.turns.beginIfKnown();
    if (turn === null) return 0;
    const { retried, dispatches } = this.#parts.turns.commit(() => retryFiles(turn, which, limit));
    await this.#parts.sender.sendForRequest(turn, dispatches);
    return retried.length;
  }

  /** Deletes a file, also in the read model. False for an unknown file. Throws when the alarm has to complete it. */
  async deleteFile(fileId: string): Promise<boolean> {
    const turn = this.#parts.turns.beginIfKnown();
    if (turn === null || !this.#parts.turns.commit(() => deleteFile(turn, fileId))) return false;
    await projectDeletionsForRequest(turn, this.env);
    return true;
  }

  /**
   * Erases everything up to the version, with the objects that only this collector references. Later pings stay.
   * Claims on erased files end: their reports return null. Returns whether anything later is left.
   */
  async erase(beforeVersion: number): Promise<boolean> {
    return this.#parts.eraser.erase(beforeVersion);
  }

  /** Applies an erasure that did not reach this collector. Throws, and erases nothing, when the database is down. */
  async applyMissedErasure(bound: number): Promise<void> {
    await this.#parts.eraser.applyMissed(bound);
  }

  /** Returns the current counts and status of an import. Null when this collector no longer stores it. */
  async readImport(importId: string): Promise<ReadImport | null> {
    return readImport(this.#storage, importId);
  }

  /** Cancels an import. Null when this collector does not store it. */
  async cancelImport(importId: string): Promise<CancelledImport | null> {
    return this.#parts.turns.commitIfKnown((turn) => cancelImport(turn, importId));
  }

  /** Claims a dispatch for one importer. Null when it is settled, superseded or claimed by another importer. */
  async claim(dispatchId: string, claimant: Claimant): Promise<Claim | null> {
    return this.#parts.turns.commitIfKnown((turn) => claimDispatch(turn, dispatchId, claimant));
  }

  /** Applies outcomes of the current claim. Returns the new end of the claim; null when the claim has ended. */
  async report(dispatchId: string, claim: string, outcomes: Outcome[]): Promise<number | null> {
    return this.#parts.turns.commitIfKnown((turn) => reportOutcomes(turn, dispatchId, claim, outcomes));
  }

  /** Ends a claim early without counting an attempt. The collector sends its remaining files again after the lease. */
  async putBack(dispatchId: string, claim: string): Promise<void> {
    this.#parts.turns.commitIfKnown((turn) => putBackDispatch(turn, dispatchId, claim));
  }

  /** Handles a dead-lettered message: ends an expired claim, or sends an unclaimed dispatch again. */
  async abandon(dispatchId: string): Promise<void> {
    this.#parts.turns.commitIfKnown((turn) => abandonDispatch(turn, dispatchId));
  }

  /** Returns the keys of those objects that a version here references. */
  async namedObjects(objects: AskedObject[]): Promise<string[]> {
    return referencedObjects(this.#storage, objects);
  }

  override async alarm(): Promise<void> {
    await this.#uncheckedParts.alarm.run();
  }
}
