import { DurableObject } from "cloudflare:workers";
import { within } from "../concurrency/within.ts";
import { databaseFor } from "../database/databases.ts";
import { sweepAgain } from "../erasure/write.ts";
import { deleteObjects } from "../files/objectKeys.ts";
import type { Timeline } from "../files/timeline.ts";
import type { FileProjection, NamedObject } from "../files/write.ts";
import { countsOf, type ImportCounts } from "../imports/counts.pure.ts";
import { faultName, logLine } from "../log.ts";
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
import { claimDispatch } from "./dispatches/claimDispatch.ts";
import { abandonDispatch } from "./dispatches/expireClaim.ts";
import { reportOutcomes } from "./dispatches/reportOutcomes.ts";
import { DispatchSender } from "./dispatches/sender.ts";
import { doDueWork, nextDueWork } from "./dueWork.ts";
import type { CollectorEnv } from "./env.ts";
import { erasureExpiresAt, eraseUpTo, expireErasure } from "./erase.ts";
import { acceptPings, previewPings } from "./files/acceptPings.ts";
import { readFile } from "./files/readFile.ts";
import { readTimeline } from "./files/timeline.pure.ts";
import { retryFiles, type FailedFiles } from "./files/retryFiles.ts";
import { referencedObjects } from "./files/unreferencedObjects.ts";
import { identityOf, nameOf } from "./identity.ts";
import { previewImport, startImport } from "./imports/startImport.ts";
import { DATABASE_DEADLINE_MS } from "./outbox/projectChanges.ts";
import { drainOutbox } from "./outbox/drainOutbox.ts";
import { UnprojectedDispatches } from "./outbox/unprojectedDispatches.ts";
import type { CollectorStorage } from "./storage/storage.ts";
import { CollectorTurns } from "./turns.ts";

/** An alarm that is so late was given up: the platform repeats one that it could not deliver for two minutes. */
const OVERDUE_MS = 5 * 60_000;

/**
 * The truth about one user's files from one source: which pings came, which version is newest, what is held, queued
 * and settled, and which import waits for it. This class commits, sends and sets the alarm; the decisions are in the
 * files beside it. Rows, outbox and alarm of one turn are one commit.
 */
export class PingCollector extends DurableObject<CollectorEnv> {
  readonly #turns: CollectorTurns;
  readonly #storage: CollectorStorage;
  readonly #sender: DispatchSender;
  readonly #unprojected: UnprojectedDispatches;
  #failuresInARow = 0;
  #moreWaits = false;
  /** Whether this life of the object has seen that no alarm is missing. */
  #alarmIsChecked = false;

  constructor(ctx: DurableObjectState, env: CollectorEnv) {
    super(ctx, env);
    this.#turns = new CollectorTurns(ctx, env.ENVIRONMENT);
    this.#storage = this.#turns.storage;
    this.#sender = new DispatchSender(env);
    this.#unprojected = new UnprojectedDispatches(this.#storage);
    void ctx.blockConcurrencyWhile(() => this.#turns.readAlarm());
  }

  /** Accepts pings of this user and source, in order. Once it has returned, each of them will be settled. */
  async accept(names: CollectorNames, entries: PingEntry[]): Promise<AcceptedPings> {
    this.#keepAlarm();
    const { turn, accepted, dispatches } = this.#turns.commit(() => {
      this.#storage.identity.introduce(names);
      const turn = this.#turns.begin(identityOf(names));
      return { turn, ...acceptPings(turn, entries) };
    });
    this.#unprojected.add(dispatches);
    await this.#sender.sendAtOnce(turn, dispatches);
    return accepted;
  }

  /** The status that `accept` would return for each of these pings now. Accepts none of them. */
  async previewPings(names: CollectorNames, entries: PingEntry[]): Promise<PingStatus[]> {
    this.#keepAlarm();
    return previewPings(this.#storage, identityOf(names), entries, Date.now());
  }

  /**
   * The read model lists this user and source, as of this version; an erasure up to it has removed that again. `bound`
   * is the one of the user's last erasure there, which may not have found this collector; 0: none.
   */
  async introduced(version: number, bound: number): Promise<void> {
    this.#keepAlarm();
    await this.meetErasure(bound);
    if (version > this.#storage.erasedBefore) {
      this.#turns.commit(() => this.#storage.identity.noteIntroduction());
    }
  }

  /** The newest version here, which may be ahead of other clocks; 0 for none. An erasure has to reach as far. */
  async newestVersion(): Promise<number> {
    this.#keepAlarm();
    return this.#storage.newestVersion();
  }

  /** Sets an alarm that is missing or long overdue. Returns whether it had to. */
  async wake(): Promise<boolean> {
    return this.#keepAlarm();
  }

  /** Releases everything held as one import, or returns the import that an equal task started before. */
  async startImport(names: CollectorNames, task: TaskEntry): Promise<StartedImport> {
    this.#keepAlarm();
    return this.#turns.commit(() => {
      this.#storage.identity.introduce(names);
      return startImport(this.#turns.begin(identityOf(names)), task);
    });
  }

  /** What `startImport` would return now. Releases nothing. */
  async previewImport(names: CollectorNames, task: TaskEntry): Promise<StartedImport> {
    this.#keepAlarm();
    return previewImport(this.#storage, identityOf(names), task, Date.now());
  }

  /** The newest version of a file, with the file's names; null for an unknown file. */
  async readFile(fileId: string): Promise<FileProjection | null> {
    return readFile(this.#storage, fileId);
  }

  /** The life of a file's newest version, in order; empty for an unknown file. */
  async timeline(fileId: string): Promise<Timeline["data"]> {
    this.#keepAlarm();
    return readTimeline(this.#storage, fileId);
  }

  /** Queues failed files again, as far as they can be retried. Returns how many. */
  async retry(which: FailedFiles): Promise<number> {
    this.#keepAlarm();
    const turn = this.#turns.beginIfKnown();
    if (turn === null) return 0;
    const { retried, dispatches } = this.#turns.commit(() => retryFiles(turn, which));
    await this.#sender.sendAtOnce(turn, dispatches);
    return retried.length;
  }

  /**
   * Erases everything up to the version; later pings stay. Importers find nothing to claim or report to. Objects that
   * only this collector references are deleted, if R2 is down by the alarm. Returns whether anything later is left.
   */
  async erase(beforeVersion: number): Promise<boolean> {
    this.#keepAlarm();
    const turn = this.#turns.beginIfKnown();
    this.#turns.commit(() => {
      const object_keys = this.#storage.objectKeysUpTo(beforeVersion);
      if (turn === null) this.#storage.eraseUpTo(beforeVersion);
      else eraseUpTo(turn, beforeVersion);
      if (object_keys.length > 0) {
        this.#storage.outbox.add([{ kind: "delete_objects", object_keys }]);
        this.#turns.alarmBy(Date.now() + this.#turns.clock.projectionDelayMs);
      }
      const expiresAt = erasureExpiresAt(this.#storage);
      if (expiresAt !== null) this.#turns.alarmBy(expiresAt);
    });
    await this.#deleteErasedObjects();
    return this.#storage.identity.get() !== null;
  }

  /**
   * Carries out an erasure that did not find this collector. Throws when the database, which has to sweep the user once
   * more, cannot be reached; then nothing is erased.
   */
  async meetErasure(bound: number): Promise<void> {
    if (bound <= this.#storage.erasedBefore) return;
    const identity = this.#storage.identity.get();
    if (identity !== null && this.#storage.files.hasAnyUpTo(bound)) {
      const database = databaseFor(this.env, identity.partner_id);
      await within(
        DATABASE_DEADLINE_MS,
        sweepAgain(database, identity.partner_id, identity, Date.now()).run(),
      );
    }
    await this.erase(bound);
  }

  /** Returns whether R2 deleted all of them. */
  async #deleteErasedObjects(): Promise<boolean> {
    for (;;) {
      const [found] = this.#storage.outbox.firstErasedObjects();
      if (found?.entry.kind !== "delete_objects") return true;
      try {
        await deleteObjects(this.env.FILES, found.entry.object_keys);
      } catch (fault) {
        logSetback("erased_later", { fault: faultName(fault) });
        return false;
      }
      this.#storage.outbox.remove([found.seq]);
    }
  }

  /** Counts of an import now; null when it is not kept here any more. */
  async readImport(importId: string): Promise<ImportCounts | null> {
    this.#keepAlarm();
    const row = this.#storage.imports.read(importId);
    return row === null ? null : countsOf(row);
  }

  /** Gives a dispatch to one importer at a time. Null when it is settled, superseded or claimed by another. */
  async claim(dispatchId: string, claimant: Claimant): Promise<Claim | null> {
    this.#keepAlarm();
    return this.#turns.commitIfKnown((turn) => claimDispatch(turn, dispatchId, claimant));
  }

  /** Applies outcomes of the current claim. Returns until when the claim lasts; null when it is over. */
  async report(dispatchId: string, claim: string, outcomes: Outcome[]): Promise<number | null> {
    this.#keepAlarm();
    return this.#turns.commitIfKnown((turn) => reportOutcomes(turn, dispatchId, claim, outcomes));
  }

  /** The queue gave up on a message: an expired claim ends, and an unclaimed dispatch is sent again. */
  async abandon(dispatchId: string): Promise<void> {
    this.#keepAlarm();
    this.#turns.commitIfKnown((turn) => abandonDispatch(turn, dispatchId));
  }

  /** Of these objects, the keys that a version here references. */
  async namedObjects(objects: NamedObject[]): Promise<string[]> {
    this.#keepAlarm();
    return referencedObjects(this.#storage, objects);
  }

  /** Sets an alarm that is missing or long overdue: without one, nothing here would reach the read model any more. */
  #keepAlarm(): boolean {
    const now = Date.now();
    const { alarmAt } = this.#turns;
    const isOverdue = alarmAt !== null && alarmAt < now - OVERDUE_MS;
    if (this.#alarmIsChecked && !isOverdue) return false;
    this.#alarmIsChecked = true;
    if (alarmAt !== null && !isOverdue) return false;
    const next = this.#nextDueWork(now);
    if (next === null) return false;
    this.#turns.resetAlarm(Math.max(next, now));
    logSetback("alarm_set_again", { collector: this.#name(), late_by_milliseconds: now - (alarmAt ?? now) });
    return true;
  }

  #nextDueWork(nowMs: number): number | null {
    return nextDueWork(
      this.#storage,
      {
        clock: this.#turns.clock,
        failuresInARow: this.#failuresInARow,
        moreWaits: this.#moreWaits,
        unprojected: this.#unprojected,
      },
      nowMs,
    );
  }

  #name(): string | null {
    const identity = this.#storage.refusal === null ? this.#storage.identity.get() : null;
    return identity === null ? null : nameOf(identity);
  }

  override async alarm(): Promise<void> {
    const startedAt = Date.now();
    this.#alarmIsChecked = true;
    this.#turns.alarmRings();
    let fault: unknown = null;
    try {
      // A queue or R2 that is down fails no other work of the alarm, but it is asked again only after a pause.
      this.#failuresInARow = (await this.#work()) ? 0 : this.#failuresInARow + 1;
    } catch (thrown) {
      this.#failuresInARow += 1;
      fault = thrown;
    }
    const next = this.#nextDueWork(Date.now());
    if (next !== null) this.#turns.alarmBy(next);
    logLine({
      unit: "alarm",
      collector: this.#name(),
      outcome: fault === null ? "done" : "fault",
      fault: fault === null ? undefined : faultName(fault),
      next_in_milliseconds: next === null ? null : next - startedAt,
      milliseconds: Date.now() - startedAt,
    });
  }

  /** Does and sends what is due, then writes to the read model. Returns whether the queues and R2 did their part. */
  async #work(): Promise<boolean> {
    this.#moreWaits = false;
    await expireErasure(this.#turns, Date.now());
    const allDeleted = await this.#deleteErasedObjects();
    const turn = this.#turns.beginIfKnown();
    if (turn === null) return allDeleted;
    const { unsent, noted } = this.#turns.commit(() => {
      const noted = this.#sender.noteSentAtOnce(turn);
      return { unsent: doDueWork(turn), noted };
    });
    this.#sender.forgetSentAtOnce(noted);
    const allSent = await this.#sender.sendUnsent(turn, unsent);
    const database = databaseFor(this.env, turn.identity.partner_id);
    this.#moreWaits = await drainOutbox(turn, this.env, database, this.#unprojected, async (bound) =>
      this.meetErasure(bound),
    );
    return allDeleted && allSent;
  }
}
