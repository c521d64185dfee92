import { DurableObject } from "cloudflare:workers";
import { databaseFor } from "../database/databases.ts";
import { deleteObjects } from "../files/objectKeys.ts";
import type { Timeline } from "../files/timeline.ts";
import type { FileProjection, NamedObject } from "../files/write.ts";
import { countsOf, type ImportCounts } from "../imports/counts.pure.ts";
import { faultName, logLine } from "../log.ts";
import type {
  AcceptedEntry,
  Claim,
  Claimant,
  CollectorNames,
  Outcome,
  PingEntry,
  StartedImport,
  TaskEntry,
} from "./calls.ts";
import { claimDispatch } from "./dispatches/claimDispatch.ts";
import { abandonDispatch } from "./dispatches/expireClaim.ts";
import { reportOutcomes } from "./dispatches/reportOutcomes.ts";
import { DispatchSender } from "./dispatches/sender.ts";
import { askQueues, doDueWork, nextDueWork } from "./dueWork.ts";
import type { CollectorEnv } from "./env.ts";
import { erasureExpiresAt, eraseUpTo, expireErasure } from "./erase.ts";
import { acceptPings, previewPings } from "./files/acceptPings.ts";
import { readFile } from "./files/readFile.ts";
import { readTimeline } from "./files/timeline.pure.ts";
import { retryFiles, type FailedFiles } from "./files/retryFiles.ts";
import { referencedObjects } from "./files/unreferencedObjects.ts";
import { identityOf, nameOf } from "./identity.ts";
import { projectImports } from "./imports/projectImports.ts";
import { previewImport, startImport } from "./imports/startImport.ts";
import { drainOutbox } from "./outbox/drainOutbox.ts";
import type { MeetErasure } from "./outbox/meetErasure.ts";
import type { CollectorStorage } from "./storage/storage.ts";
import { CollectorTurns } from "./turns.ts";

/**
 * The truth about one user's files from one source: which pings came, which version is newest, what is held, queued
 * and settled, and which import waits for it. This class commits, sends and sets the alarm; the decisions are in the
 * files beside it. Rows, outbox and alarm of one turn are one commit.
 */
export class PingCollector extends DurableObject<CollectorEnv> {
  readonly #turns: CollectorTurns;
  readonly #storage: CollectorStorage;
  readonly #sender: DispatchSender;
  #failuresInARow = 0;

  constructor(ctx: DurableObjectState, env: CollectorEnv) {
    super(ctx, env);
    this.#turns = new CollectorTurns(ctx, env.ENVIRONMENT);
    this.#storage = this.#turns.storage;
    this.#sender = new DispatchSender(env);
    void ctx.blockConcurrencyWhile(() => this.#turns.readAlarm());
  }

  /** Accepts pings of this user and source, in order. Once it has returned, each of them will be settled. */
  async accept(names: CollectorNames, entries: PingEntry[]): Promise<AcceptedEntry[]> {
    const { turn, accepted, dispatches } = this.#turns.commit(() => {
      const isFirst = this.#storage.identity.get() === null;
      this.#storage.identity.introduce(names);
      const turn = this.#turns.begin(identityOf(names));
      return { turn, ...acceptPings(turn, entries, isFirst) };
    });
    await this.#sender.sendAtOnce(turn, dispatches);
    return accepted;
  }

  /** The status that `accept` would return for each of these pings now. Accepts none of them. */
  async previewPings(names: CollectorNames, entries: PingEntry[]): Promise<AcceptedEntry["status"][]> {
    return previewPings(this.#storage, identityOf(names), entries, Date.now());
  }

  /** Projects these files from the alarm, because the read model could not be reached. */
  async projectLater(fileIds: string[]): Promise<void> {
    this.#turns.commitIfKnown((turn) => {
      turn.storage.outbox.add([{ kind: "project_files", file_ids: fileIds }]);
      turn.alarmBy(turn.now);
    });
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

  /** Queues failed files again, as far as they can be retried. Returns how many. */
  async retry(which: FailedFiles): Promise<number> {
    const turn = this.#turns.beginIfKnown();
    if (turn === null) return 0;
    const { retried, dispatches } = this.#turns.commit(() => retryFiles(turn, which));
    await this.#sender.sendAtOnce(turn, dispatches);
    return retried.length;
  }

  /**
   * Erases everything up to the version, with the objects that only this collector references; later pings stay.
   * Importers find nothing to claim or report to.
   */
  async erase(beforeVersion: number): Promise<void> {
    // The objects first: once the rows are gone, their keys are unknown.
    await deleteObjects(this.env.FILES, this.#storage.objectKeysUpTo(beforeVersion));
    const turn = this.#turns.beginIfKnown();
    this.#turns.commit(() => {
      if (turn === null) this.#storage.eraseUpTo(beforeVersion);
      else eraseUpTo(turn, beforeVersion);
      const expiresAt = erasureExpiresAt(this.#storage);
      if (expiresAt !== null) this.#turns.alarmBy(expiresAt);
    });
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

  /** The queue gave up on a message: an expired claim ends, and an unclaimed dispatch is sent again. */
  async abandon(dispatchId: string): Promise<void> {
    this.#turns.commitIfKnown((turn) => abandonDispatch(turn, dispatchId));
  }

  /** Of these objects, the keys that a version here references. */
  async namedObjects(objects: NamedObject[]): Promise<string[]> {
    return referencedObjects(this.#storage, objects);
  }

  override async alarm(): Promise<void> {
    const startedAt = Date.now();
    this.#turns.alarmRings();
    let fault: unknown = null;
    try {
      // A queue that is down fails no other work of the alarm, but it is asked again only after a pause.
      this.#failuresInARow = (await this.#work()) ? 0 : this.#failuresInARow + 1;
    } catch (thrown) {
      this.#failuresInARow += 1;
      fault = thrown;
    }
    const identity = this.#storage.refusal === null ? this.#storage.identity.get() : null;
    const next = nextDueWork(this.#storage, this.#turns.clock, this.#failuresInARow, Date.now());
    if (next !== null) this.#turns.alarmBy(next);
    logLine({
      unit: "alarm",
      collector: identity === null ? null : nameOf(identity),
      outcome: fault === null ? "done" : "fault",
      fault: fault === null ? undefined : faultName(fault),
      next_in_milliseconds: next === null ? null : next - startedAt,
      milliseconds: Date.now() - startedAt,
    });
  }

  /** Does and sends what is due, then writes to the read model. Returns whether the queues took everything. */
  async #work(): Promise<boolean> {
    await expireErasure(this.#turns, Date.now());
    const backlogs = await askQueues(this.#storage, this.env);
    const turn = this.#turns.beginIfKnown();
    if (turn === null) return true;
    const unsent = this.#turns.commit(() => {
      this.#sender.noteSentAtOnce(turn);
      return doDueWork(turn, backlogs);
    });
    this.#sender.forgetSentAtOnce();
    const allSent = await this.#sender.sendUnsent(turn, unsent);
    const database = databaseFor(this.env, turn.identity.partner_id);
    const meetErasure: MeetErasure = async (bound, oldest) => {
      if (oldest <= bound) await this.erase(bound);
    };
    await drainOutbox(turn, this.env, database, meetErasure);
    await projectImports(turn, database, meetErasure);
    return allSent;
  }
}
