import { DurableObject } from "cloudflare:workers";
import { databaseFor } from "../database.ts";
import type { Env } from "../env.ts";
import { deleteObjects } from "../files/objectKeys.ts";
import { discardObjects, projectFiles, type FileProjection, type NamedObject } from "../files/write.ts";
import { collectorName, randomId } from "../identifiers.ts";
import { projectImport, type ImportProjection } from "../imports/write.ts";
import { faultName, logSetback, logUnit } from "../log.ts";
import { boundOf, readErased, touchUsers } from "../users/write.ts";
import { CLOSED_IMPORT_KEPT_FOR_MS, HELD_FOR_MS, KEPT_URL_FOR_MS } from "./ages.ts";
import { announceImport } from "./announceImport.ts";
import {
  bulkDispatches,
  clockFor,
  renewClaim,
  retryDispatches,
  singleDispatch,
  splitAfterSilence,
  type Clock,
} from "./dispatching.ts";
import { drainOutbox, type OutboxDeps } from "./drainOutbox.ts";
import { finishIfSettled, mended, newImport, planIsDue, repeatedImport, type Counts } from "./importing.ts";
import {
  firstRevision,
  judgePing,
  REVISIONS_OF_CLAIMS,
  type CurrentVersion,
  type LedgerRow,
  type Submission,
} from "./ledger.ts";
import { importProjection, objectsLeftBehind, ownerOf, projectionOf, type Owner } from "./projection.ts";
import { expire, fail, inFlight, interrupt, retry, settle, take, type Outcome } from "./settle.ts";
import {
  CollectorStorage,
  type About,
  type Dispatch,
  type ImportRow,
  type OutboxEntry,
  type QueueName,
} from "./storage.ts";

export interface CollectorNames {
  partner_id: string;
  user_id: string;
  source: string;
}

export interface PingEntry {
  file_id: string;
  summary_id: string;
  submission: Submission;
}

export interface AcceptedEntry {
  file_id: string;
  status: "queued" | "held" | "duplicate";
  /** The file's newest version, which this ping is or repeats. */
  version: number;
  /** Inline bytes of this ping are named by a version; false: whoever put them takes them away again. */
  object_taken: boolean;
  /** What the read model should say; null where it has said so already. */
  projection: FileProjection | null;
}

export interface TaskEntry {
  import_id: string;
  event_id: string | null;
  is_initial_import: boolean;
  /** Ids of all files that the partner says it has sent. */
  expected: string[] | null;
}

export interface StartedImport {
  import: ImportProjection;
  repeated: boolean;
  /** Places in `expected` of the files that were never pinged. */
  missing: number[] | null;
}

export interface WorkItem {
  file_id: string;
  summary_id: string;
  version: number;
  revision: number;
  attempts: number;
  import_id: string | null;
  submission: Submission;
  /** Bytes of this version may lie in the store already: look there before any download. */
  look_first: boolean;
}

export interface Claim {
  claim: string;
  /** Unix milliseconds; a report before then renews it. */
  until: number;
  names: CollectorNames;
  items: WorkItem[];
}

/** Live rides are sent by the request that took them; the alarm sends what is left after this. */
const SEND_GRACE_MS = 5_000;
/** Bulk dispatches of one collector that may be out at once: a large history leaves room for others. */
const BULK_WINDOW = 8;
/** Messages that one sendBatch takes. */
const SEND_LIMIT = 100;
/** Dispatches that one alarm looks at; what is left makes the next alarm come at once. */
const ALARM_LIMIT = 500;
const LONGEST_PAUSE_MS = 60_000;

/**
 * The truth about one user's files from one source: which pings came, which version is newest, what is held,
 * dispatched and settled, and which import waits for it. It is storage, an alarm and a list of methods; the
 * decisions are in the files beside it. Rows, outbox and alarm of one turn are one commit.
 */
export class PingCollector extends DurableObject<Env> {
  readonly #storage: CollectorStorage;
  readonly #clock: Clock;
  #alarmAt: number | null = null;
  #failuresInARow = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#storage = new CollectorStorage(ctx.storage.sql);
    this.#clock = clockFor(env.ENVIRONMENT);
    void ctx.blockConcurrencyWhile(async () => {
      this.#alarmAt = await ctx.storage.getAlarm();
    });
  }

  /** Takes pings of this user and source, in order. Once it has answered, each of them will be settled. */
  async accept(names: CollectorNames, entries: PingEntry[]): Promise<AcceptedEntry[]> {
    const now = Date.now();
    const { accepted, dispatches } = this.ctx.storage.transactionSync(() =>
      this.#accept(names, entries, now),
    );
    await this.#send(dispatches);
    return accepted;
  }

  /** What `accept` would say of each of these pings at this moment; takes none of them. */
  async previewPings(names: CollectorNames, entries: PingEntry[]): Promise<AcceptedEntry["status"][]> {
    return this.#judge(names, entries, Date.now()).accepted.map((entry) => entry.status);
  }

  /** What these pings mean for their files, one after the other. Writes nothing. */
  #judge(names: CollectorNames, entries: readonly PingEntry[], now: number) {
    const floor = this.#storage.versionFloor();
    const owner = ownerOf(names);
    const rows = this.#storage.readFiles(entries.map((entry) => entry.file_id));
    const changed = new Map<string, LedgerRow>();
    const dispatches: Dispatch[] = [];
    const duplicates: string[] = [];
    const discarded: OutboxEntry[] = [];
    const accepted = entries.map((entry): AcceptedEntry => {
      const row = rows.get(entry.file_id) ?? null;
      const verdict = judgePing(row, entry.submission, now);
      if (row !== null && (verdict === "duplicate" || verdict === "held_already")) {
        if (verdict === "duplicate" && entry.submission.priority === 0) duplicates.push(entry.file_id);
        const projection =
          row.held !== null || row.current?.state === "queued" ? projectionOf(owner, row) : null;
        const status = verdict === "duplicate" ? "duplicate" : "held";
        const version = (row.held ?? row.current)?.version ?? 0;
        return { file_id: entry.file_id, status, version, object_taken: false, projection };
      }
      const verb = verdict === "dispatch" ? "dispatch" : "hold";
      const taken = take(entry.file_id, entry.summary_id, row, entry.submission, verb, floor, now);
      for (const key of objectsLeftBehind(owner, row, taken)) {
        discarded.push({ kind: "discard_object", file_id: entry.file_id, object_key: key });
      }
      if (taken.held === null && taken.current !== null) {
        dispatches.push(
          singleDispatch("PRIORITY", entry.file_id, taken.current.version, now + SEND_GRACE_MS),
        );
      }
      rows.set(entry.file_id, taken);
      changed.set(entry.file_id, taken);
      return {
        file_id: entry.file_id,
        status: taken.held === null ? "queued" : "held",
        version: (taken.held ?? taken.current)?.version ?? 0,
        object_taken: true,
        projection: projectionOf(owner, taken),
      };
    });
    return { accepted, rows, changed, dispatches, duplicates, discarded };
  }

  #accept(
    names: CollectorNames,
    entries: readonly PingEntry[],
    now: number,
  ): { accepted: AcceptedEntry[]; dispatches: Dispatch[] } {
    const isFirst = this.#storage.about === null;
    this.#introduce(names);
    const { accepted, rows, changed, dispatches, duplicates, discarded } = this.#judge(names, entries, now);
    this.#storage.writeFiles([...changed.values()]);
    this.#storage.rememberDuplicates(duplicates);
    // A file that was replaced twice in one request needs only its last dispatch.
    const live = dispatches.filter((dispatch) =>
      dispatch.files.every(([fileId, version]) => inFlight(rows.get(fileId), version) !== null),
    );
    this.#storage.writeDispatches(live);
    // What replaced an object must reach the read model before the object may go. And once a collector is there,
    // the read model must hear of it, even if the request ends before it can say so: an erasure looks there.
    if (isFirst || discarded.length > 0) {
      this.#storage.addToOutbox([{ kind: "project_files", file_ids: [...changed.keys()] }, ...discarded]);
    }
    if ([...changed.values()].some((row) => row.held !== null)) this.#housekeepBy(now + HELD_FOR_MS);
    if (isFirst || live.length > 0) this.#alarmBy(now + SEND_GRACE_MS);
    if (discarded.length > 0) this.#alarmBy(now);
    return { accepted, dispatches: live };
  }

  /** The read model could not be told of these files: the outbox tells it later. */
  async projectLater(fileIds: string[]): Promise<void> {
    this.ctx.storage.transactionSync(() => {
      this.#storage.addToOutbox([{ kind: "project_files", file_ids: fileIds }]);
      this.#alarmBy(Date.now());
    });
  }

  /** Releases everything held, as one import; or answers the import that this task asked for already. */
  async startImport(names: CollectorNames, task: TaskEntry): Promise<StartedImport> {
    return this.ctx.storage.transactionSync(() => {
      // Not before what it takes, nor before an erasure: other clocks may have been ahead of this one.
      const { newest } = this.#storage.countHeld();
      const now = Math.max(Date.now(), newest, this.#storage.erasedBefore() + 1);
      const about = this.#introduce(names);
      const { row, repeated, missing } = this.#judgeTask(task, now);
      if (repeated) return { import: importProjection(ownerOf(names), row), repeated, missing };
      const overtaken = this.#storage.filesInFlightAndHeld();
      this.#storage.forgetDuplicates();
      this.#storage.writeImport(row);
      this.#storage.writeAbout({ ...about, released_through: row.through_version });
      this.#overtake(overtaken, row);
      this.#finish(row, now);
      this.#alarmBy(now);
      const started = this.#storage.readImport(row.import_id) ?? row;
      return { import: importProjection(ownerOf(names), started), repeated, missing };
    });
  }

  /** What `startImport` would answer to this task at this moment; releases nothing. */
  async previewImport(names: CollectorNames, task: TaskEntry): Promise<StartedImport> {
    const now = Date.now();
    const { row, repeated, missing } = this.#judgeTask(task, now);
    const shown = finishIfSettled(row, now) ?? row;
    return { import: importProjection(ownerOf(names), shown), repeated, missing };
  }

  /** The import that this task asked for already, or the one that takes what is held now. Writes nothing. */
  #judgeTask(task: TaskEntry, now: number): { row: ImportRow; repeated: boolean; missing: number[] | null } {
    const held = this.#storage.countHeld();
    const missing = task.expected === null ? null : this.#storage.missing(task.expected);
    const started = held.count === 0 ? repeatedImport(this.#storage.readImports(), task, now) : null;
    if (started !== null) return { row: started, repeated: true, missing };
    const after = this.#storage.about?.released_through ?? 0;
    const through = held.count === 0 ? after : Math.max(now, held.newest);
    const skipped = this.#storage.countDuplicates();
    return {
      row: newImport(task, { held: held.count, skipped, after, through, now }),
      repeated: false,
      missing,
    };
  }

  /** Versions in flight whose newer one was just released: the newer goes on, the older counts as skipped. */
  #overtake(rows: readonly LedgerRow[], into: ImportRow): void {
    for (const row of rows) {
      if (row.current === null || row.held === null) continue;
      const { import_id, retried } = row.current;
      const counts = import_id === null || retried === true ? null : this.#storage.readImport(import_id);
      if (counts !== null) this.#count(counts, { imported: 0, skipped: 1, failed: 0 });
      const { version, submission } = row.held;
      const current = { ...row.current, version, submission, import_id: into.import_id, attempts: 0 };
      const overtaken: LedgerRow = {
        ...row,
        // An importer may still write the older version, with a revision from its claim.
        revision: Math.max(row.revision, firstRevision(version)) + REVISIONS_OF_CLAIMS,
        held: null,
        current: {
          ...current,
          faulted: {},
          fault: null,
          first_fault: null,
          failed_object: null,
          retried: false,
        },
      };
      this.#storage.writeFiles([overtaken]);
      this.#discardLeftBehind([[row, overtaken]]);
    }
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
    const { rows, dispatches } = this.ctx.storage.transactionSync(() => {
      const failed =
        "import_id" in which
          ? this.#storage.failuresOfImport(which.import_id, Number.MAX_SAFE_INTEGER)
          : [...this.#storage.readFiles(which.file_ids).values()];
      const rows = failed.flatMap((row) => retry(row) ?? []);
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
    await this.#send(dispatches);
    return rows.flatMap((row) => projectionOf(owner, row) ?? []);
  }

  /**
   * Erases everything up to the version, with the objects that are named here alone; what was pinged later
   * stays. Work in flight finds nothing to claim or report to.
   */
  async erase(beforeVersion: number): Promise<void> {
    // First the objects: without the ledger nobody could tell them.
    await deleteObjects(this.env.FILES, this.#storage.objectKeysBefore(beforeVersion));
    this.ctx.storage.transactionSync(() => {
      this.#storage.erase(beforeVersion);
      // A task that came after the erasure, but before it was known here, may have taken files that are gone now.
      for (const row of this.#storage.readImports()) {
        if (row.completed_at !== null) continue;
        const pending = row.total - row.imported - row.skipped - row.failed;
        const gone = pending - this.#storage.countPending(row);
        if (gone > 0) this.#count(row, { imported: 0, skipped: gone, failed: 0 });
      }
    });
  }

  /** Counts of an import as they are now; null when it is not known here any more. */
  async readImport(importId: string): Promise<(Counts & { total: number }) | null> {
    const row = this.#storage.readImport(importId);
    if (row === null) return null;
    const { total, imported, skipped, failed } = row;
    return { total, imported, skipped, failed };
  }

  /** Hands the work of a dispatch to one importer at a time; null when it is settled, superseded or claimed. */
  async claim(dispatchId: string): Promise<Claim | null> {
    const now = Date.now();
    return this.ctx.storage.transactionSync(() => {
      const about = this.#storage.about;
      const dispatch = this.#storage.readDispatch(dispatchId);
      if (about === null || dispatch === null) return null;
      if (dispatch.state === "claimed" && dispatch.due_at > now) return null;
      if (dispatch.state === "claimed") {
        // An unheard claim is the alarm's to count; it dispatches what is left of it.
        this.#alarmBy(now);
        return null;
      }
      const rows = this.#storage.readFiles(dispatch.files.map(([fileId]) => fileId));
      const claims = dispatch.claims + 1;
      const items = dispatch.files.flatMap(([fileId, version]): WorkItem[] => {
        const row = inFlight(rows.get(fileId), version);
        if (row === null) return [];
        return [
          {
            file_id: fileId,
            summary_id: row.summary_id,
            version,
            revision: row.revision + claims,
            attempts: row.current.attempts,
            import_id: row.current.import_id,
            submission: row.current.submission,
            look_first: claims > 1 || row.current.attempts > 0 || row.current.retried === true,
          },
        ];
      });
      if (items.length === 0) {
        this.#storage.deleteDispatch(dispatchId);
        this.#drainIfWaiting(now);
        return null;
      }
      const claimed = renewClaim({ ...dispatch, claims, claim: randomId() }, this.#clock, now);
      this.#storage.writeDispatches([
        { ...claimed, files: items.map((item) => [item.file_id, item.version]) },
      ]);
      this.#alarmBy(claimed.due_at);
      return {
        claim: claimed.claim ?? "",
        until: claimed.due_at,
        names: { partner_id: about.partner_id, user_id: about.user_id, source: about.source },
        items,
      };
    });
  }

  /**
   * Takes outcomes from the current claim and renews it; from any other claim, nothing. Answers until when the
   * claim lives on, or null when it is over: all files are settled, or somebody else has it.
   */
  async report(dispatchId: string, claim: string, outcomes: Outcome[]): Promise<number | null> {
    const now = Date.now();
    return this.ctx.storage.transactionSync(() => {
      const dispatch = this.#storage.readDispatch(dispatchId);
      if (dispatch === null || dispatch.claim !== claim || dispatch.state !== "claimed") return null;
      this.#settleOutcomes(dispatch, outcomes, now);
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

  /** A dispatch that its queue gave up on: whoever had it is not going to report. */
  async abandon(dispatchId: string): Promise<void> {
    const now = Date.now();
    this.ctx.storage.transactionSync(() => {
      const dispatch = this.#storage.readDispatch(dispatchId);
      if (dispatch === null || (dispatch.state === "claimed" && dispatch.due_at > now)) return;
      this.#countSilence(dispatch, now);
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

  #settleOutcomes(dispatch: Dispatch, outcomes: readonly Outcome[], now: number): void {
    const rows = this.#storage.readFiles(outcomes.map((outcome) => outcome.file_id));
    const changed: LedgerRow[] = [];
    const failed: [LedgerRow, LedgerRow][] = [];
    const retries: Dispatch[] = [];
    const project: string[] = [];
    const tally = new Tally();
    for (const outcome of outcomes) {
      const row = inFlight(rows.get(outcome.file_id), outcome.version);
      if (row === null) continue;
      const settlement = settle(row, outcome, row.revision + dispatch.claims, now);
      changed.push(settlement.row);
      if (settlement.kind === "again") {
        retries.push(singleDispatch("RETRY", row.file_id, row.current.version, settlement.at));
      } else {
        tally.add(row.current, settlement.kind);
      }
      if (settlement.kind === "failed") failed.push([row, settlement.row]);
      if (settlement.kind !== "imported") project.push(row.file_id);
    }
    this.#storage.writeFiles(changed);
    this.#storage.writeDispatches(retries);
    for (const retry of retries) this.#alarmBy(retry.due_at);
    this.#settled(project, tally, now);
    this.#discardLeftBehind(failed);
  }

  /** What follows when files were settled: the read model is told of failures, imports count and may complete. */
  #settled(failedFiles: readonly string[], tally: Tally, now: number): void {
    if (failedFiles.length > 0) {
      this.#storage.addToOutbox([{ kind: "project_files", file_ids: [...failedFiles] }]);
      this.#housekeepBy(now + KEPT_URL_FOR_MS);
      this.#alarmBy(now);
    }
    for (const [importId, counts] of tally.imports) {
      const row = this.#storage.readImport(importId);
      if (row !== null) this.#count(row, counts);
    }
    for (const [importId, imported] of tally.mended) {
      const row = this.#storage.readImport(importId);
      if (row !== null) this.#storage.writeImport(mended(row, imported));
      this.#alarmBy(now);
    }
  }

  #discardLeftBehind(changes: readonly [before: LedgerRow, after: LedgerRow][]): void {
    const about = this.#storage.about;
    if (about === null) return;
    const owner = ownerOf(about);
    for (const [before, after] of changes) {
      const keys = objectsLeftBehind(owner, before, after);
      this.#storage.addToOutbox(
        keys.map((object_key) => ({ kind: "discard_object", file_id: after.file_id, object_key })),
      );
    }
  }

  #count(row: ImportRow, counts: Counts): void {
    const counted: ImportRow = {
      ...row,
      imported: row.imported + counts.imported,
      skipped: row.skipped + counts.skipped,
      failed: row.failed + counts.failed,
      revision: row.revision + 1,
    };
    this.#storage.writeImport(counted);
    this.#finish(counted, Date.now());
  }

  /** Completes an import once, when its last file is settled; what follows from it leaves through the outbox. */
  #finish(row: ImportRow, now: number): void {
    const finished = finishIfSettled(row, now);
    this.#alarmBy(now + this.#clock.projectionDelayMs);
    if (finished === null) return;
    const plan_requested = planIsDue(this.#storage.readImports(), finished, now);
    this.#storage.writeImport({ ...finished, plan_requested });
    this.#storage.addToOutbox([{ kind: "complete_import", import_id: row.import_id }]);
    this.#housekeepBy(now + CLOSED_IMPORT_KEPT_FOR_MS);
    this.#alarmBy(now);
  }

  #drainIfWaiting(now: number): void {
    if (this.#storage.readImports().some((row) => row.drained_to !== null)) this.#alarmBy(now);
  }

  override async alarm(): Promise<void> {
    const startedAt = Date.now();
    this.#alarmAt = null;
    let outcome = "done";
    let thrown: string | null = null;
    try {
      if (this.#storage.about !== null) {
        const owner = ownerOf(this.#storage.about);
        this.ctx.storage.transactionSync(() => this.#turnOver(startedAt));
        await this.#send(
          this.#storage.dueDispatches(startedAt, ALARM_LIMIT).filter((due) => due.state === "unsent"),
        );
        await drainOutbox(this.#outboxDeps(owner));
        await this.#projectImports(owner);
      }
      this.#failuresInARow = 0;
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
      if (dispatch.state === "claimed") this.#countSilence(dispatch, now);
    }
    this.#drainImports(now);
    const about = this.#storage.about;
    if (about?.housekeeping_at != null && about.housekeeping_at <= now) this.#housekeep(now);
  }

  #countSilence(dispatch: Dispatch, now: number): void {
    const rows = this.#storage.readFiles(dispatch.files.map(([fileId]) => fileId));
    const files = dispatch.files.filter(([fileId, version]) => inFlight(rows.get(fileId), version) !== null);
    const { again, poison } = splitAfterSilence({ ...dispatch, files }, now);
    const tally = new Tally();
    const failed: [LedgerRow, LedgerRow][] = [];
    for (const [fileId, version] of poison) {
      const row = inFlight(rows.get(fileId), version);
      if (row === null) continue;
      const revision = row.revision + dispatch.claims + 1;
      const ended = fail(
        row,
        {
          code: "internal",
          detail: "The import of this file ended without an answer several times. We were told of it.",
          http_status: null,
          retryable: true,
        },
        revision,
        now,
      );
      this.#storage.writeFiles([ended]);
      tally.add(row.current, "failed");
      failed.push([row, ended]);
    }
    this.#storage.deleteDispatch(dispatch.dispatch_id);
    this.#storage.writeDispatches(again);
    if (dispatch.state === "claimed") {
      const interrupted = again.flatMap(({ files: alone }) =>
        alone.flatMap(([fileId, version]) => inFlight(rows.get(fileId), version) ?? []),
      );
      this.#storage.writeFiles(interrupted.map((row) => interrupt(row, now)));
    }
    this.#settled(
      failed.map(([row]) => row.file_id),
      tally,
      now,
    );
    this.#discardLeftBehind(failed);
    logSetback("claim_unheard", {
      collector: this.#name(),
      dispatch_id: dispatch.dispatch_id,
      files: files.length,
      unheard: dispatch.unheard + 1,
      failed: failed.length,
    });
  }

  #drainImports(now: number): void {
    let room = BULK_WINDOW - this.#storage.countDispatches("BULK");
    for (const row of this.#storage.readImports()) {
      if (row.drained_to === null || room <= 0) continue;
      const { dispatches, drained_to } = bulkDispatches(room, now, (limit) =>
        this.#storage.filesToDrain(row, limit),
      );
      room -= dispatches.length;
      this.#storage.writeDispatches(dispatches);
      this.#storage.writeImport({ ...row, drained_to });
    }
  }

  #housekeep(now: number): void {
    const expired = this.#storage
      .heldBefore(now - HELD_FOR_MS, ALARM_LIMIT)
      .flatMap((row) => expire(row, now) ?? []);
    const kept = this.#storage.keptFailures();
    const stale = kept
      .filter((row) => (row.current?.settled_at ?? now) <= now - KEPT_URL_FOR_MS)
      .map((row): [LedgerRow, LedgerRow] => [row, withoutUrl(row)]);
    const written = [...expired, ...stale.map(([, after]) => after)];
    this.#storage.writeFiles(written);
    const touched = written.map((row) => row.file_id);
    if (touched.length > 0) this.#storage.addToOutbox([{ kind: "project_files", file_ids: touched }]);
    this.#discardLeftBehind(stale);
    for (const row of this.#storage.readImports()) {
      if (row.completed_at !== null && row.completed_at <= now - CLOSED_IMPORT_KEPT_FOR_MS) {
        this.#storage.deleteImport(row.import_id);
      }
    }
    this.#planHousekeeping(now);
  }

  /** Looks again when the oldest held ping or kept URL comes of age. */
  #planHousekeeping(now: number): void {
    const about = this.#storage.about;
    if (about === null) return;
    const held = this.#storage.countHeld();
    const times = this.#storage
      .keptFailures()
      .map((row) => (row.current?.settled_at ?? now) + KEPT_URL_FOR_MS);
    if (held.count > 0) times.push(held.oldest + HELD_FOR_MS);
    for (const row of this.#storage.readImports()) {
      if (row.completed_at !== null) times.push(row.completed_at + CLOSED_IMPORT_KEPT_FOR_MS);
    }
    const next = times.reduce<number | null>(
      (least, time) => (least === null || time < least ? time : least),
      null,
    );
    this.#storage.writeAbout({ ...about, housekeeping_at: next });
  }

  #housekeepBy(at: number): void {
    const about = this.#storage.about;
    if (about === null || (about.housekeeping_at !== null && about.housekeeping_at <= at)) return;
    this.#storage.writeAbout({ ...about, housekeeping_at: at });
    this.#alarmBy(at);
  }

  /** Sends dispatches to their queues; those that could not be sent stay for the alarm. */
  async #send(dispatches: readonly Dispatch[]): Promise<void> {
    const collector = this.#name();
    for (const queue of ["PRIORITY", "BULK", "RETRY"] satisfies QueueName[]) {
      const unsent = dispatches.filter((dispatch) => dispatch.queue === queue);
      for (let start = 0; start < unsent.length; start += SEND_LIMIT) {
        const batch = unsent.slice(start, start + SEND_LIMIT);
        try {
          await this.env[queue].sendBatch(
            batch.map((dispatch) => ({ body: { collector, dispatch_id: dispatch.dispatch_id } })),
          );
        } catch (fault) {
          logSetback("sent_later", {
            collector,
            queue,
            messages: batch.length,
            fault: faultName(fault),
          });
          continue;
        }
        const resendAt = Date.now() + this.#clock.leaseMs;
        this.#storage.markSent(
          batch.map((dispatch) => dispatch.dispatch_id),
          resendAt,
        );
        this.#alarmBy(resendAt);
      }
    }
  }

  /** An erasure that did not know of this collector, because the read model did not, is carried out here. */
  async #meetErasure(bound: number, oldest: number): Promise<void> {
    if (oldest <= bound) await this.erase(bound);
  }

  #outboxDeps(owner: Owner): OutboxDeps {
    const database = databaseFor(this.env, owner.partner_id, owner.user_hash);
    return {
      next: (limit) => this.#storage.outbox(limit),
      done: (seq) => this.#storage.removeFromOutbox(seq),
      projectFiles: async (fileIds) => {
        const rows = [...this.#storage.readFiles(fileIds).values()];
        const projections = rows.flatMap((row) => projectionOf(owner, row) ?? []);
        if (projections.length === 0) return;
        const version = Math.max(...projections.map((projection) => projection.version));
        const pinged_at = Math.max(...projections.map((projection) => projection.received_at));
        const results = await database.batch([
          ...projectFiles(database, owner.partner_id, projections),
          ...touchUsers(database, owner.partner_id, [{ ...owner, version, pinged_at }]),
          readErased(database, owner.partner_id, owner.user_hash),
        ]);
        const oldest = Math.min(...projections.map((projection) => projection.version));
        await this.#meetErasure(boundOf(results.at(-1)), oldest);
      },
      discardObject: async (fileId, objectKey) => {
        await database.batch(
          discardObjects(database, owner.partner_id, [{ file_id: fileId, object_key: objectKey }]),
        );
      },
      completeImport: async (importId) => {
        const row = this.#storage.readImport(importId);
        if (row === null) return;
        const erasedBefore = await announceImport(this.env, database, owner, row, (limit) =>
          this.#storage.failuresOfImport(importId, limit),
        );
        this.#projected(row, true);
        await this.#meetErasure(erasedBefore, row.requested_at);
      },
    };
  }

  /** Progress, or a failure mended by a retry; the completion itself is told by the announcement. */
  #hasNews(row: ImportRow): boolean {
    return row.projected_revision < row.revision && (row.completed_at === null || row.announced);
  }

  /** Tells the read model how far imports are. */
  async #projectImports(owner: Owner): Promise<void> {
    const database = databaseFor(this.env, owner.partner_id, owner.user_hash);
    for (const row of this.#storage.readImports()) {
      if (!this.#hasNews(row)) continue;
      const results = await database.batch([
        projectImport(database, owner.partner_id, importProjection(owner, row)),
        readErased(database, owner.partner_id, owner.user_hash),
      ]);
      this.#projected(row, row.announced);
      await this.#meetErasure(boundOf(results.at(-1)), row.requested_at);
    }
  }

  #projected(row: ImportRow, announced: boolean): void {
    const latest = this.#storage.readImport(row.import_id);
    if (latest !== null)
      this.#storage.writeImport({ ...latest, announced, projected_revision: row.revision });
  }

  /** The names are kept on the first call: an alarm after a restart has no other way to know them. */
  #introduce(names: CollectorNames): About {
    const known = this.#storage.about;
    if (known !== null) return known;
    const { partner_id, user_id, source } = names;
    const about: About = { partner_id, user_id, source, released_through: 0, housekeeping_at: null };
    this.#storage.writeAbout(about);
    return about;
  }

  #name(): string {
    const about = this.#storage.about;
    return about === null ? "" : collectorName(about.partner_id, about.user_id, about.source);
  }

  /** Makes sure that the alarm rings by then; part of the commit of the turn that asks for it. */
  #alarmBy(at: number): void {
    if (this.#alarmAt !== null && this.#alarmAt <= at) return;
    this.#alarmAt = at;
    void this.ctx.storage.setAlarm(at);
  }

  #nextAlarm(now: number): number | null {
    if (this.#storage.about === null) return null;
    const times: number[] = [];
    const earliest = this.#storage.earliestDispatch();
    if (earliest !== null) times.push(earliest);
    if (this.#storage.outbox(1).length > 0) times.push(now);
    const imports = this.#storage.readImports();
    if (
      imports.some((row) => row.drained_to !== null) &&
      this.#storage.countDispatches("BULK") < BULK_WINDOW
    ) {
      times.push(now);
    }
    if (imports.some((row) => this.#hasNews(row))) {
      times.push(now + this.#clock.projectionDelayMs);
    }
    const housekeepingAt = this.#storage.about?.housekeeping_at ?? null;
    if (housekeepingAt !== null) times.push(housekeepingAt);
    if (times.length === 0) return null;
    // After a fault everything waits a little longer each time; six throwing alarms would be the last.
    const pause =
      this.#failuresInARow === 0 ? 0 : Math.min(1_000 * 2 ** this.#failuresInARow, LONGEST_PAUSE_MS);
    return Math.max(Math.min(...times), now + pause);
  }
}

/** Counts of settled files, by the import that waits for them. */
class Tally {
  readonly imports = new Map<string, Counts>();
  /** Files that an import has counted as failed, and that a retry has imported. */
  readonly mended = new Map<string, number>();

  add(version: CurrentVersion, settled: "imported" | "failed"): void {
    const importId = version.import_id;
    if (importId === null) return;
    if (version.retried === true) {
      if (settled === "imported") this.mended.set(importId, (this.mended.get(importId) ?? 0) + 1);
      return;
    }
    const counts = this.imports.get(importId) ?? { imported: 0, skipped: 0, failed: 0 };
    counts[settled] += 1;
    this.imports.set(importId, counts);
  }
}

/** A failure whose URL is too old to be tried again; bytes that were stored can be. */
function withoutUrl(row: LedgerRow): LedgerRow {
  if (row.current === null) return row;
  const submission = { ...row.current.submission, callback_url: null };
  const { fault } = row.current;
  return {
    ...row,
    revision: row.revision + 1,
    current: {
      ...row.current,
      submission,
      fault: fault === null ? null : { ...fault, retryable: submission.object_key !== null },
    },
  };
}
