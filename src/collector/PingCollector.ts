import { DurableObject } from "cloudflare:workers";
import type { Timeline } from "../files/timeline.ts";
import type { FileProjection, NamedObject } from "../files/write.ts";
import { countsOf, type ImportCounts } from "../imports/counts.pure.ts";
import type {
  AcceptedPings,
  Claim,
  Claimant,
  CollectorNames,
  Outcome,
  PingEntry,
  PingStatus,
  StartedImport,
  TaskEntry,
} from "./calls.ts";
import { CollectorAlarm } from "./alarm.ts";
import { claimDispatch } from "./dispatches/claimDispatch.ts";
import { abandonDispatch } from "./dispatches/expireClaim.ts";
import { putBackDispatch } from "./dispatches/putBackDispatch.ts";
import { reportOutcomes } from "./dispatches/reportOutcomes.ts";
import { DispatchSender } from "./dispatches/sender.ts";
import type { CollectorEnv } from "./env.ts";
import { CollectorEraser } from "./erase.ts";
import { acceptPings, previewPings } from "./files/acceptPings.ts";
import { readFile } from "./files/readFile.ts";
import { readTimeline } from "./files/timeline.pure.ts";
import { previewRetry, retryFiles, type FailedFiles, type RetryPreview } from "./files/retryFiles.ts";
import { referencedObjects } from "./files/unreferencedObjects.ts";
import { identityOf } from "./identity.ts";
import { Introduction } from "./introduction.ts";
import { previewImport, startImport } from "./imports/startImport.ts";
import { UnprojectedDispatches } from "./outbox/unprojectedDispatches.ts";
import type { CollectorStorage } from "./storage/storage.ts";
import { CollectorTurns } from "./turns.ts";

/**
 * The truth about one user's files from one source: which pings came, which version is newest, what is held, queued
 * and settled, and which import waits for it. This class commits, sends and sets the alarm; the decisions are in the
 * files beside it. Rows, outbox and alarm of one turn are one commit.
 */
export class PingCollector extends DurableObject<CollectorEnv> {
  readonly #uncheckedTurns: CollectorTurns;
  readonly #sender: DispatchSender;
  readonly #eraser: CollectorEraser;
  readonly #unprojected: UnprojectedDispatches;
  readonly #introduction: Introduction;
  readonly #alarm: CollectorAlarm;

  constructor(ctx: DurableObjectState, env: CollectorEnv) {
    super(ctx, env);
    const turns = new CollectorTurns(ctx, env.ENVIRONMENT);
    const sender = new DispatchSender(env);
    const eraser = new CollectorEraser(env, turns);
    const unprojected = new UnprojectedDispatches(turns.storage);
    this.#uncheckedTurns = turns;
    this.#sender = sender;
    this.#eraser = eraser;
    this.#unprojected = unprojected;
    this.#introduction = new Introduction(env, turns, eraser);
    this.#alarm = new CollectorAlarm({ env, turns, sender, eraser, unprojected });
    void ctx.blockConcurrencyWhile(() => turns.readAlarm());
  }

  /** Every call reaches its turns and its storage through here, and so sets a missing alarm. */
  get #turns(): CollectorTurns {
    this.#alarm.keep();
    return this.#uncheckedTurns;
  }

  get #storage(): CollectorStorage {
    return this.#turns.storage;
  }

  /** Accepts pings of this user and source, in order. Once it has returned, each of them will be settled. */
  async accept(names: CollectorNames, entries: PingEntry[]): Promise<AcceptedPings> {
    this.#alarm.keep();
    const isListed = await this.#introduction.introduce(names);
    const { turn, accepted, dispatches } = this.#turns.commit(() => {
      this.#storage.identity.introduce(names);
      if (isListed) this.#storage.identity.noteIntroduction();
      const turn = this.#turns.begin(identityOf(names));
      return { turn, ...acceptPings(turn, entries) };
    });
    this.#unprojected.add(dispatches);
    await this.#sender.sendAtOnce(turn, dispatches);
    return accepted;
  }

  /** The status that `accept` would return for each of these pings now. Accepts none of them. */
  async previewPings(names: CollectorNames, entries: PingEntry[]): Promise<PingStatus[]> {
    return previewPings(this.#storage, identityOf(names), entries, Date.now());
  }

  /** The newest version here, which may be ahead of other clocks; 0 for none. An erasure has to reach as far. */
  async newestVersion(): Promise<number> {
    return this.#storage.newestVersion();
  }

  /** Sets an alarm that is missing or long overdue. Returns whether it had to. */
  async wake(): Promise<boolean> {
    return this.#alarm.keep();
  }

  /** Releases everything held as one import, or returns the import that an equal task started before. */
  async startImport(names: CollectorNames, task: TaskEntry): Promise<StartedImport> {
    return this.#turns.commit(() => {
      this.#storage.identity.introduce(names);
      return startImport(this.#turns.begin(identityOf(names)), task);
    });
  }

  /** What `startImport` would return now. Releases nothing. */
  async previewImport(names: CollectorNames, task: TaskEntry): Promise<StartedImport> {
    return previewImport(this.#storage, identityOf(names), task, Date.now());
  }

  /** The newest version of a file, with the file's names; null for an unknown file. */
  async readFile(fileId: string): Promise<FileProjection | null> {
    return readFile(this.#storage, fileId);
  }

  /** The life of a file's newest version, in order; empty for an unknown file. */
  async timeline(fileId: string): Promise<Timeline["data"]> {
    return readTimeline(this.#storage, fileId);
  }

  /** How many failed files `retry` would queue now. Queues none. */
  async previewRetry(which: FailedFiles, limit: number): Promise<RetryPreview> {
    return previewRetry(this.#storage, which, limit, Date.now());
  }

  /** Queues at most `limit` failed files again, as far as they can be retried. Returns how many. */
  async retry(which: FailedFiles, limit: number): Promise<number> {
    const turn = this.#turns.beginIfKnown();
    if (turn === null) return 0;
    const { retried, dispatches } = this.#turns.commit(() => retryFiles(turn, which, limit));
    await this.#sender.sendAtOnce(turn, dispatches);
    return retried.length;
  }

  /**
   * Erases everything up to the version, with the objects that only this collector references; later pings stay.
   * Importers find nothing to claim or report to. Returns whether anything later is left.
   */
  async erase(beforeVersion: number): Promise<boolean> {
    this.#alarm.keep();
    return this.#eraser.erase(beforeVersion);
  }

  /** Carries out an erasure that did not find this collector. Throws, and erases nothing, when the database is down. */
  async meetErasure(bound: number): Promise<void> {
    this.#alarm.keep();
    await this.#eraser.meet(bound);
  }

  /** Counts of an import now; null when it is not kept here any more. */
  async readImport(importId: string): Promise<ImportCounts | null> {
    const row = this.#storage.imports.read(importId);
    return row === null ? null : countsOf(row);
  }

  /** Gives a dispatch to one importer at a time. Null when it is settled, superseded or claimed by another. */
  async claim(dispatchId: string, claimant: Claimant): Promise<Claim | null> {
    return this.#turns.commitIfKnown((turn) => claimDispatch(turn, dispatchId, claimant));
  }

  /** Applies outcomes of the current claim. Returns until when the claim lasts; null when it is over. */
  async report(dispatchId: string, claim: string, outcomes: Outcome[]): Promise<number | null> {
    return this.#turns.commitIfKnown((turn) => reportOutcomes(turn, dispatchId, claim, outcomes));
  }

  /** Ends a claim early: its remaining files wait as if their message had been lost, and no attempt is counted. */
  async putBack(dispatchId: string, claim: string): Promise<void> {
    this.#turns.commitIfKnown((turn) => putBackDispatch(turn, dispatchId, claim));
  }

  /** The queue gave up on a message: an expired claim ends, and an unclaimed dispatch is sent again. */
  async abandon(dispatchId: string): Promise<void> {
    this.#turns.commitIfKnown((turn) => abandonDispatch(turn, dispatchId));
  }

  /** Of these objects, the keys that a version here references. */
  async namedObjects(objects: NamedObject[]): Promise<string[]> {
    return referencedObjects(this.#storage, objects);
  }

  override async alarm(): Promise<void> {
    await this.#alarm.ring();
  }
}
