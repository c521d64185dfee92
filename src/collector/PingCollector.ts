import { DurableObject } from "cloudflare:workers";
import { databaseFor } from "../database.ts";
import type { Env } from "../env.ts";
import { deleteObjects } from "../files/objectKeys.ts";
import type { Timeline } from "../files/timeline.ts";
import type { FileProjection, NamedObject } from "../files/write.ts";
import { collectorName } from "../identifiers.ts";
import { faultName, logUnit } from "../log.ts";
import { ERASURE_KEPT_FOR_MS, HELD_FOR_MS } from "./ages.ts";
import type {
  AcceptedEntry,
  Claim,
  Claimant,
  CollectorNames,
  PingEntry,
  StartedImport,
  TaskEntry,
  WorkItem,
} from "./calls.ts";
import { countIntoImport, finishImport } from "./countIntoImport.ts";
import { countSilence, type SilenceTurn } from "./countSilence.ts";
import {
  clockFor,
  hasEnded,
  renewClaim,
  retryDispatches,
  singleDispatch,
  type Clock,
} from "./dispatching.ts";
import { BULK_WINDOW, drainImports } from "./drainImports.ts";
import { drainOutbox } from "./drainOutbox.ts";
import { housekeep, nextHousekeeping } from "./housekeep.ts";
import { finishIfSettled, hasNews, type Counts } from "./importing.ts";
import { judgePings, type Judged } from "./judgePings.ts";
import { judgeTask } from "./judgeTask.ts";
import type { LedgerRow } from "./ledger.ts";
import { nextAlarm } from "./nextAlarm.ts";
import { projectImports } from "./projectImports.ts";
import { importProjection, ownerOf, projectionOf } from "./projection.ts";
import { sendDispatches } from "./sendDispatches.ts";
import { inFlight, overtake, retry, type Outcome } from "./settle.ts";
import { discardLeftBehind, settleOutcomes } from "./settleOutcomes.ts";
import { CollectorStorage, type About, type Dispatch, type ImportRow } from "./storage.ts";
import { timelineOf } from "./timeline.ts";
import { workItem } from "./workItem.ts";

/** Live rides are sent by the request that took them; the alarm sends what is left after this. */
const SEND_GRACE_MS = 5_000;
/** Dispatches that one alarm looks at; what is left makes the next alarm come at once. */
const ALARM_LIMIT = 500;

/**
 * The truth about one user's files from one source: which pings came, which version is newest, what is held,
 * dispatched and settled, and which import waits for it. It is storage, an alarm and a list of methods; the
 * decisions are in the files beside it. Rows, outbox and alarm of one turn are one commit.
 */
export class PingCollector extends DurableObject<Env> {
  readonly #storage: CollectorStorage;
  readonly #clock: Clock;
  readonly #turn: SilenceTurn;
  /** What requests have sent since the last alarm: nearly all is claimed before a row would be read that says so. */
  readonly sentAtOnce = new Set<string>();
  #alarmAt: number | null = null;
  #failuresInARow = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#storage = new CollectorStorage(ctx.storage.sql);
    this.#clock = clockFor(env.ENVIRONMENT);
    this.#turn = {
      storage: this.#storage,
      clock: this.#clock,
      projectionDelayMs: this.#clock.projectionDelayMs,
      alarmBy: (at) => this.#alarmBy(at),
      housekeepBy: (at) => this.#housekeepBy(at),
    };
    void ctx.blockConcurrencyWhile(async () => {
      this.#alarmAt = await ctx.storage.getAlarm();
    });
  }

  /** Takes pings of this user and source, in order. Once it has answered, each of them will be settled. */
  async accept(names: CollectorNames, entries: PingEntry[]): Promise<AcceptedEntry[]> {
    const now = Date.now();
    const { accepted, dispatches } = this.#commit(() => this.#accept(names, entries, now));
    await this.#sendAtOnce(dispatches);
    return accepted;
  }

  /** What `accept` would say of each of these pings at this moment; takes none of them. */
  async previewPings(names: CollectorNames, entries: PingEntry[]): Promise<AcceptedEntry["status"][]> {
    return this.#judge(names, entries, Date.now()).accepted.map((entry) => entry.status);
  }

  #judge(names: CollectorNames, entries: readonly PingEntry[], now: number): Judged {
    const rows = this.#storage.readFiles(entries.map((entry) => entry.file_id));
    return judgePings(ownerOf(names), entries, rows, this.#storage.versionFloor(), now);
  }

  #accept(
    names: CollectorNames,
    entries: readonly PingEntry[],
    now: number,
  ): { accepted: AcceptedEntry[]; dispatches: Dispatch[] } {
    const isFirst = this.#storage.about === null;
    this.#introduce(names);
    const { accepted, changed, live, duplicates, discarded } = this.#judge(names, entries, now);
    this.#storage.writeFiles(changed);
    this.#storage.rememberDuplicates(duplicates);
    const dispatches = live.map(([fileId, version]) =>
      singleDispatch("PRIORITY", fileId, version, now + SEND_GRACE_MS),
    );
    this.#storage.writeDispatches(dispatches);
    // What replaced an object must reach the read model before the object may go. And once a collector is there, one
    // file of it must, even if the request ends before it can say so: an erasure looks there.
    const told = discarded.length > 0 ? changed : isFirst ? changed.slice(0, 1) : [];
    if (told.length > 0) {
      this.#storage.addToOutbox([
        { kind: "project_files", file_ids: told.map((row) => row.file_id) },
        ...discarded,
      ]);
    }
    if (changed.some((row) => row.held !== null)) this.#housekeepBy(now + HELD_FOR_MS);
    if (isFirst || dispatches.length > 0) this.#alarmBy(now + SEND_GRACE_MS);
    if (discarded.length > 0) this.#alarmBy(now);
    return { accepted, dispatches };
  }

  /** The read model could not be told of these files: the outbox tells it later. */
  async projectLater(fileIds: string[]): Promise<void> {
    if (this.#storage.about === null) return;
    this.#commit(() => {
      this.#storage.addToOutbox([{ kind: "project_files", file_ids: fileIds }]);
      this.#alarmBy(Date.now());
    });
  }

  /** Releases everything held, as one import; or answers the import that this task asked for already. */
  async startImport(names: CollectorNames, task: TaskEntry): Promise<StartedImport> {
    return this.#commit(() => {
      // Not before what it takes, nor before an erasure: other clocks may have been ahead of this one.
      const { newest } = this.#storage.countHeld();
      const now = Math.max(Date.now(), newest, this.#storage.erasedBefore + 1);
      const about = this.#introduce(names);
      const { row, repeated, missing } = judgeTask(this.#storage, task, now);
      if (repeated) return { import: importProjection(ownerOf(names), row), repeated, missing };
      const overtaken = this.#storage.filesInFlightAndHeld();
      this.#storage.forgetDuplicates();
      this.#storage.writeImport(row);
      this.#storage.writeAbout({ ...about, released_through: row.through_version });
      this.#overtake(overtaken, row);
      finishImport(this.#turn, row, now);
      this.#alarmBy(now);
      const started = this.#storage.readImport(row.import_id) ?? row;
      return { import: importProjection(ownerOf(names), started), repeated, missing };
    });
  }

  /** What `startImport` would answer to this task at this moment; releases nothing. */
  async previewImport(names: CollectorNames, task: TaskEntry): Promise<StartedImport> {
    const now = Date.now();
    const { row, repeated, missing } = judgeTask(this.#storage, task, now);
    const shown = finishIfSettled(row, now) ?? row;
    return { import: importProjection(ownerOf(names), shown), repeated, missing };
  }

  /** Versions in flight whose newer one was just released: the newer goes on, the older counts as skipped. */
  #overtake(rows: readonly LedgerRow[], into: ImportRow): void {
    for (const row of rows) {
      const overtaken = overtake(row, into.import_id);
      if (row.current === null || overtaken === null) continue;
      const { import_id, retried } = row.current;
      const counts = import_id === null || retried === true ? null : this.#storage.readImport(import_id);
      if (counts !== null)
        countIntoImport(this.#turn, counts, { imported: 0, skipped: 1, failed: 0 }, Date.now());
      this.#storage.writeFiles([overtaken]);
      discardLeftBehind(this.#turn, [[row, overtaken]]);
    }
  }

  /** The life of a file's newest version, in order; empty when nothing is known of it. */
  async timeline(fileId: string): Promise<Timeline["data"]> {
    const row = this.#storage.readFiles([fileId]).get(fileId);
    if (row === undefined) return [];
    const importId = row.current?.import_id ?? null;
    const released = importId === null ? null : this.#storage.readImport(importId);
    return timelineOf(row, released?.requested_at ?? null);
  }

  /**
   * Queues failed files once more, from their stored bytes or their kept URL: those named, or all of an import.
   * Answers what the read model should say of each; empty when none can be tried again.
   */
  async retry(which: { file_ids: string[] } | { import_id: string }): Promise<FileProjection[]> {
    const now = Date.now();
    const about = this.#storage.about;
    if (about === null) return [];
    const owner = ownerOf(about);
    const { rows, dispatches } = this.#commit(() => {
      const failed =
        "import_id" in which
          ? this.#storage.failuresOfImport(which.import_id, Number.MAX_SAFE_INTEGER)
          : [...this.#storage.readFiles(which.file_ids).values()];
      const rows = failed.flatMap((row) => retry(row, now) ?? []);
      this.#storage.writeFiles(rows);
      const dispatches = retryDispatches(
        rows.map((row) => ({ file_id: row.file_id, version: row.current.version })),
        now + SEND_GRACE_MS,
      );
      this.#storage.writeDispatches(dispatches);
      if (rows.length > 0) {
        this.#storage.addToOutbox([{ kind: "project_files", file_ids: rows.map((row) => row.file_id) }]);
        this.#alarmBy(now);
      }
      return { rows, dispatches };
    });
    await this.#sendAtOnce(dispatches);
    return rows.flatMap((row) => projectionOf(owner, row) ?? []);
  }

  /**
   * Erases everything up to the version, with the objects that are named here alone; what was pinged later
   * stays. Work in flight finds nothing to claim or report to.
   */
  async erase(beforeVersion: number): Promise<void> {
    // First the objects: without the ledger nobody could tell them.
    await deleteObjects(this.env.FILES, this.#storage.objectKeysBefore(beforeVersion));
    this.#commit(() => {
      this.#storage.erase(beforeVersion);
      // A task that came after the erasure, but before it was known here, may have taken files that are gone now.
      for (const row of this.#storage.readImports()) {
        if (row.completed_at !== null) continue;
        const pending = row.total - row.imported - row.skipped - row.failed;
        const gone = pending - this.#storage.countPending(row);
        if (gone > 0) countIntoImport(this.#turn, row, { imported: 0, skipped: gone, failed: 0 }, Date.now());
      }
      this.#alarmBy(this.#storage.erasedBefore + ERASURE_KEPT_FOR_MS);
    });
  }

  /** Counts of an import as they are now; null when it is not known here any more. */
  async readImport(importId: string): Promise<(Counts & { total: number }) | null> {
    const row = this.#storage.readImport(importId);
    if (row === null) return null;
    const { total, imported, skipped, failed } = row;
    return { total, imported, skipped, failed };
  }

  /**
   * Hands the work of a dispatch to one importer at a time; null when it is settled, superseded or claimed. The same
   * claimant may ask again and gets the same claim.
   */
  async claim(dispatchId: string, claimant: Claimant): Promise<Claim | null> {
    const now = Date.now();
    return this.#commit(() => {
      const about = this.#storage.about;
      const dispatch = this.#storage.readDispatch(dispatchId);
      if (about === null || dispatch === null) return null;
      const holder = dispatch.state === "claimed" ? dispatch.claim : null;
      const isOver = holder !== null && (dispatch.due_at <= now || hasEnded(holder, claimant));
      if (isOver) {
        // Its files are dispatched again. One of them may have ended the importer: each goes on alone.
        countSilence(this.#turn, this.#name(), dispatch, now);
        this.#alarmBy(now);
        return null;
      }
      const isRepeated = holder?.claim === claimant.claim;
      if (holder !== null && !isRepeated) return null;
      const rows = this.#storage.readFiles(dispatch.files.map(([fileId]) => fileId));
      const claims = isRepeated ? dispatch.claims : dispatch.claims + 1;
      const items = dispatch.files.flatMap(([fileId, version]): WorkItem[] => {
        const row = inFlight(rows.get(fileId), version);
        return row === null ? [] : [workItem(row, claims)];
      });
      if (items.length === 0) {
        this.#storage.deleteDispatch(dispatchId);
        this.#drainIfWaiting(now);
        return null;
      }
      const claimed = renewClaim({ ...dispatch, claims, claim: claimant }, this.#clock, now);
      this.#storage.writeDispatches([
        { ...claimed, files: items.map((item) => [item.file_id, item.version]) },
      ]);
      this.#alarmBy(claimed.due_at);
      return {
        claim: claimant.claim,
        until: claimed.due_at,
        names: { partner_id: about.partner_id, user_id: about.user_id, source: about.source },
        exclusive: dispatch.exclusive,
        items,
      };
    });
  }

  /**
   * Takes outcomes from the current claim and renews it; from any other claim, nothing. Returns until when the
   * claim lives on, or null when it is over: all files are settled, or another importer has it. Outcomes that were
   * reported before change nothing.
   */
  async report(dispatchId: string, claim: string, outcomes: Outcome[]): Promise<number | null> {
    const now = Date.now();
    return this.#commit(() => {
      const dispatch = this.#storage.readDispatch(dispatchId);
      if (dispatch === null || dispatch.claim?.claim !== claim || dispatch.state !== "claimed") return null;
      const open = new Set(dispatch.files.map(([fileId]) => fileId));
      const fresh = outcomes.filter((outcome) => open.has(outcome.file_id));
      settleOutcomes(this.#turn, dispatch, fresh, now);
      const reported = new Set(outcomes.map((outcome) => outcome.file_id));
      const files = dispatch.files.filter(([fileId]) => !reported.has(fileId));
      if (files.length === 0) {
        this.#storage.deleteDispatch(dispatchId);
        this.#drainIfWaiting(now);
        return null;
      }
      const renewed = renewClaim({ ...dispatch, files }, this.#clock, now);
      this.#storage.writeDispatches([renewed]);
      this.#alarmBy(renewed.due_at);
      return renewed.due_at;
    });
  }

  /** A dispatch whose message the queue has given up: an expired claim ends, and what was not claimed is sent again. */
  async abandon(dispatchId: string): Promise<void> {
    const now = Date.now();
    this.#commit(() => {
      const dispatch = this.#storage.readDispatch(dispatchId);
      if (dispatch === null || (dispatch.state === "claimed" && dispatch.due_at > now)) return;
      if (dispatch.state === "claimed") countSilence(this.#turn, this.#name(), dispatch, now);
      else this.#storage.writeDispatches([{ ...dispatch, state: "unsent", due_at: now }]);
      this.#alarmBy(now);
    });
  }

  /** Of these objects, the keys that a version in the ledger still names. */
  async namedObjects(objects: NamedObject[]): Promise<string[]> {
    const rows = this.#storage.readFiles(objects.map((object) => object.file_id));
    return objects.flatMap(({ file_id, object_key }) => {
      const row = rows.get(file_id);
      const names = [row?.held?.submission.object_key, row?.current?.submission.object_key];
      return names.includes(object_key) ? [object_key] : [];
    });
  }

  #drainIfWaiting(now: number): void {
    if (this.#storage.readImports().some((row) => row.drained_to !== null)) this.#alarmBy(now);
  }

  override async alarm(): Promise<void> {
    const startedAt = Date.now();
    this.#alarmAt = null;
    let outcome = "done";
    let thrown: string | null = null;
    let allSent = true;
    try {
      await this.#expireErasure(startedAt);
      if (this.#storage.about !== null) {
        const owner = ownerOf(this.#storage.about);
        this.#commit(() => {
          this.#storage.markSentAtOnce([...this.sentAtOnce], this.#clock.leaseMs - SEND_GRACE_MS);
          this.#turnOver(startedAt);
        });
        this.sentAtOnce.clear();
        allSent = await this.#sendLeft(
          this.#storage.dueDispatches(startedAt, ALARM_LIMIT).filter((due) => due.state === "unsent"),
        );
        const database = databaseFor(this.env, owner.partner_id);
        const progress = {
          projected: (row: ImportRow, announced: boolean) => this.#projected(row, announced),
          meetErasure: (bound: number, oldest: number) => this.#meetErasure(bound, oldest),
        };
        await drainOutbox(this.#storage, progress, this.env, database, owner);
        await projectImports(this.#storage.readImports(), progress, database, owner);
      }
      // A queue that is down is no fault of this round, but asking it again at once would help nobody.
      this.#failuresInARow = allSent ? 0 : this.#failuresInARow + 1;
    } catch (fault) {
      this.#failuresInARow += 1;
      outcome = "fault";
      thrown = faultName(fault);
    } finally {
      const next = this.#nextAlarm(Date.now());
      if (next !== null) this.#alarmBy(next);
      logUnit("alarm", {
        collector: this.#storage.about === null ? null : this.#name(),
        outcome,
        ...(thrown === null ? {} : { fault: thrown }),
        next_in_milliseconds: next === null ? null : next - startedAt,
        milliseconds: Date.now() - startedAt,
      });
    }
  }

  /** What the time has brought: silent claims, lost messages, room for more bulk work, things past their age. */
  #turnOver(now: number): void {
    for (const dispatch of this.#storage.dueDispatches(now, ALARM_LIMIT)) {
      if (dispatch.state === "sent")
        this.#storage.writeDispatches([{ ...dispatch, state: "unsent", due_at: now }]);
      if (dispatch.state === "claimed") countSilence(this.#turn, this.#name(), dispatch, now);
    }
    drainImports(this.#storage, now);
    const about = this.#storage.about;
    if (about?.housekeeping_at != null && about.housekeeping_at <= now) this.#housekeep(now);
  }

  /**
   * Forgets an erasure that nothing old enough can be left of. A collector that holds nothing else deletes its storage
   * with its alarm.
   */
  async #expireErasure(now: number): Promise<void> {
    const { about, erasedBefore } = this.#storage;
    if (erasedBefore === 0 || now < erasedBefore + ERASURE_KEPT_FOR_MS) return;
    if (about !== null) {
      this.#commit(() => this.#storage.forgetErasure());
      return;
    }
    const deleted = this.ctx.storage.deleteAll();
    this.#storage.reload();
    this.#alarmAt = null;
    await deleted;
  }

  #housekeep(now: number): void {
    const about = this.#storage.about;
    if (about === null) return;
    discardLeftBehind(this.#turn, housekeep(this.#storage, now, ALARM_LIMIT));
    const housekeeping_at = nextHousekeeping(
      this.#storage.countHeld(),
      this.#storage.keptFailures(),
      this.#storage.readImports(),
      now,
    );
    this.#storage.writeAbout({ ...about, housekeeping_at });
  }

  #housekeepBy(at: number): void {
    const about = this.#storage.about;
    if (about === null || (about.housekeeping_at !== null && about.housekeeping_at <= at)) return;
    this.#storage.writeAbout({ ...about, housekeeping_at: at });
    this.#alarmBy(at);
  }

  /** Sends what this request has dispatched; a crash before the alarm forgets that, and they are sent twice. */
  async #sendAtOnce(dispatches: readonly Dispatch[]): Promise<void> {
    await sendDispatches(this.env, this.#name(), dispatches, (dispatchIds) => {
      for (const id of dispatchIds) this.sentAtOnce.add(id);
    });
  }

  /** Sends what no request has sent, and answers whether the queues took it all. */
  async #sendLeft(dispatches: readonly Dispatch[]): Promise<boolean> {
    return sendDispatches(this.env, this.#name(), dispatches, (dispatchIds) => {
      const resendAt = Date.now() + this.#clock.leaseMs;
      this.#storage.markSent(dispatchIds, resendAt);
      this.#alarmBy(resendAt);
    });
  }

  /** An erasure that did not know of this collector, because the read model did not, is carried out here. */
  async #meetErasure(bound: number, oldest: number): Promise<void> {
    if (oldest <= bound) await this.erase(bound);
  }

  #projected(row: ImportRow, announced: boolean): void {
    const latest = this.#storage.readImport(row.import_id);
    if (latest !== null)
      this.#storage.writeImport({ ...latest, announced, projected_revision: row.revision });
  }

  /** The names are kept on the first call: an alarm after a restart has no other way to know them. */
  #introduce({ partner_id, user_id, source }: CollectorNames): About {
    const known = this.#storage.about;
    if (known !== null) return known;
    const about: About = { partner_id, user_id, source, released_through: 0, housekeeping_at: null };
    this.#storage.writeAbout(about);
    return about;
  }

  #name(): string {
    const about = this.#storage.about;
    return about === null ? "" : collectorName(about.partner_id, about.user_id, about.source);
  }

  /** All that the work writes, or nothing of it; a rollback does not reach what is cached in memory. */
  #commit<T>(work: () => T): T {
    const alarmAt = this.#alarmAt;
    try {
      return this.ctx.storage.transactionSync(work);
    } catch (fault) {
      this.#storage.reload();
      this.#alarmAt = alarmAt;
      throw fault;
    }
  }

  /** Makes sure that the alarm rings by then; part of the commit of the turn that asks for it. */
  #alarmBy(at: number): void {
    if (this.#alarmAt !== null && this.#alarmAt <= at) return;
    this.#alarmAt = at;
    void this.ctx.storage.setAlarm(at);
  }

  #nextAlarm(now: number): number | null {
    const { about, erasedBefore } = this.#storage;
    const imports = this.#storage.readImports();
    return nextAlarm({
      earliestDispatch: this.#storage.earliestDispatch(),
      outboxWaits: about !== null && this.#storage.outbox(1).length > 0,
      bulkWaits:
        imports.some((row) => row.drained_to !== null) && this.#storage.countDispatches("BULK") < BULK_WINDOW,
      progressWaits: imports.some(hasNews),
      projectionDelayMs: this.#clock.projectionDelayMs,
      housekeepingAt: about?.housekeeping_at ?? null,
      erasureExpiresAt: erasedBefore === 0 ? null : erasedBefore + ERASURE_KEPT_FOR_MS,
      failuresInARow: this.#failuresInARow,
      nowMs: now,
    });
  }
}
