import type { FileError, StoredObject } from "../files/file.ts";
import {
  firstRevision,
  nextVersion,
  REVISIONS_OF_CLAIMS,
  shrunk,
  withoutCallback,
  type CurrentVersion,
  type LedgerRow,
  type Submission,
} from "./ledger.ts";
import { nextTryAt, type FaultOrigin } from "./retrySchedule.ts";
import { withStep } from "./timeline.ts";

/** What an importer says of one file when its attempt has ended. */
export type Outcome =
  /** `revision` is the one that the read model was given. */
  | { result: "imported"; file_id: string; version: number; revision: number }
  | { result: "failed"; file_id: string; version: number; fault: FileError; stored: StoredObject | null }
  | {
      result: "try_again";
      file_id: string;
      version: number;
      fault: FileError;
      stored: StoredObject | null;
      origin: FaultOrigin;
      retry_after_seconds: number | null;
    };

/** What becomes of the file: settled one way or the other, or dispatched again at an instant. */
export type Settlement =
  | { kind: "imported"; row: LedgerRow }
  | { kind: "failed"; row: LedgerRow }
  | { kind: "again"; row: LedgerRow; at: number };

/** A row whose current version is known to be there. */
export type RowInFlight = LedgerRow & { current: CurrentVersion };

/** The row, if this version of it is still to be settled; a newer one may have taken its place. */
export function inFlight(row: LedgerRow | undefined, version: number): RowInFlight | null {
  const current = row?.current;
  if (row === undefined || current === null || current === undefined) return null;
  return current.state === "queued" && current.version === version ? { ...row, current } : null;
}

/** Applies an attempt's outcome; `revision` is the one that the attempt's claim carried. */
export function settle(row: RowInFlight, outcome: Outcome, revision: number, nowMs: number): Settlement {
  const attempts = row.current.attempts + 1;
  if (outcome.result === "imported") {
    const current: CurrentVersion = {
      ...row.current,
      state: "imported",
      attempts,
      submission: shrunk(row.current.submission, false),
      fault: null,
      first_fault: null,
      failed_object: null,
      settled_at: nowMs,
      steps: withStep(row.current, { at: nowMs, what: "imported", attempt: attempts }),
    };
    // A newer ping held meanwhile may have brought the read model further than this attempt did.
    return { kind: "imported", row: { ...row, revision: Math.max(row.revision, outcome.revision), current } };
  }
  const tried: RowInFlight = {
    ...row,
    revision,
    current: {
      ...row.current,
      attempts,
      fault: outcome.fault,
      first_fault: row.current.first_fault ?? { ...outcome.fault, at: nowMs },
      failed_object: outcome.stored ?? row.current.failed_object,
    },
  };
  if (outcome.result === "failed")
    return { kind: "failed", row: fail(tried, outcome.fault, revision, nowMs) };
  const { origin } = outcome;
  const { times, since } = row.current.faulted?.[origin] ?? { times: 0, since: nowMs };
  tried.current.faulted = { ...row.current.faulted, [origin]: { times: times + 1, since } };
  const at = nextTryAt({
    origin,
    failedAttempts: times + 1,
    firstFaultAt: since,
    retryAfterSeconds: outcome.retry_after_seconds,
    nowMs,
  });
  if (at !== null) {
    const step = { at: nowMs, what: "attempt_failed" as const, attempt: attempts, code: outcome.fault.code };
    tried.current.steps = withStep(row.current, step);
    return { kind: "again", row: tried, at };
  }
  const fault: FileError =
    origin === "own_store"
      ? { ...outcome.fault, code: "internal", detail: "A store of ours was down for too long. Try again." }
      : outcome.fault;
  return { kind: "failed", row: fail(tried, fault, revision, nowMs) };
}

/**
 * Ends a version as failed. Its URL, or its stored bytes, stay for a while so that it can be tried again; where
 * a newer version is held already, nobody will.
 */
export function fail(row: RowInFlight, fault: FileError, revision: number, nowMs: number): LedgerRow {
  const first = row.current.first_fault;
  const detail =
    fault.code === "callback_gone" && first !== null && first.code !== "callback_gone"
      ? `${fault.detail} The first attempt had failed with ${first.code}: ${first.detail}`
      : fault.detail;
  const stored = row.current.failed_object;
  const submission: Submission =
    stored === null ? row.current.submission : { ...row.current.submission, object_key: stored.key };
  const retryable = submission.callback_url !== null || submission.object_key !== null;
  const current: CurrentVersion = {
    ...row.current,
    state: "failed",
    submission: shrunk(submission, retryable),
    fault: { ...fault, detail, retryable },
    settled_at: nowMs,
    steps: withStep(row.current, {
      at: nowMs,
      what: "failed",
      ...(row.current.attempts === 0 ? {} : { attempt: row.current.attempts }),
      code: fault.code,
    }),
  };
  return { ...row, revision, current: row.held === null ? current : withoutSource(current) };
}

/** A failure that nothing is left to try again with. */
function withoutSource(failed: CurrentVersion): CurrentVersion {
  return {
    ...failed,
    submission: shrunk(failed.submission, false),
    fault: failed.fault === null ? null : { ...failed.fault, retryable: false },
    failed_object: null,
  };
}

/** A held version that nobody released ends as failed, and can be tried again for as long as its URL is kept. */
export function expire(row: LedgerRow, nowMs: number): LedgerRow | null {
  if (row.held === null) return null;
  const current: CurrentVersion = {
    version: row.held.version,
    state: "queued",
    submission: row.held.submission,
    import_id: null,
    attempts: 0,
    first_fault: null,
    fault: null,
    failed_object: null,
    settled_at: null,
  };
  const fault: FileError = {
    code: "held_expired",
    detail: "Held for 30 days without a bulk_fit_transfer_complete task for this user and source.",
    http_status: null,
    retryable: true,
  };
  return fail({ ...row, held: null, current }, fault, row.revision + 1, nowMs);
}

/** An attempt that ended without a word: it may have used up the URL, and a later fault should say so. */
export function interrupt(row: RowInFlight, nowMs: number): LedgerRow {
  const first_fault = row.current.first_fault ?? {
    code: "internal" as const,
    detail: "That attempt was interrupted on our side.",
    http_status: null,
    retryable: true,
    at: nowMs,
  };
  const attempts = row.current.attempts + 1;
  const steps = withStep(row.current, { at: nowMs, what: "attempt_interrupted", attempt: attempts });
  return { ...row, current: { ...row.current, attempts, first_fault, steps } };
}

/** A failed version queued once more, as it was pinged; null when there is nothing to try it with. */
export function retry(row: LedgerRow, nowMs: number): RowInFlight | null {
  const failed = row.current;
  if (failed === null || failed.state !== "failed" || row.held !== null) return null;
  const { submission } = failed;
  if (submission.callback_url === null && submission.object_key === null) return null;
  return {
    ...row,
    revision: row.revision + 1,
    current: {
      ...failed,
      state: "queued",
      retried: true,
      attempts: 0,
      faulted: {},
      first_fault: null,
      fault: null,
      settled_at: null,
      steps: withStep(failed, { at: nowMs, what: "retried" }),
    },
  };
}

/** The row with this ping as its newest version, held or dispatched. */
export function take(
  fileId: string,
  summaryId: string,
  row: LedgerRow | null,
  submission: Submission,
  verdict: "hold" | "dispatch",
  floor: number,
  nowMs: number,
): LedgerRow {
  const version = nextVersion(row, floor, nowMs);
  const revision = Math.max((row?.revision ?? 0) + 1, firstRevision(version));
  const names = { file_id: fileId, summary_id: summaryId, revision };
  if (verdict === "hold") {
    const current = row?.current ?? null;
    return {
      ...names,
      current: current?.state === "failed" ? withoutSource(current) : current,
      held: { version, submission },
    };
  }
  // In a running import the newer version takes the older one's place: the import waits for it instead.
  const replaced = row?.current?.state === "queued" ? row.current : null;
  return {
    ...names,
    held: null,
    current: {
      version,
      state: "queued",
      submission,
      import_id: replaced?.import_id ?? null,
      retried: replaced?.retried ?? false,
      attempts: 0,
      first_fault: null,
      fault: null,
      failed_object: null,
      settled_at: null,
    },
  };
}

/** A failure whose URL is too old to be tried again; bytes that were stored can be. */
export function withoutUrl(row: LedgerRow): LedgerRow {
  if (row.current === null) return row;
  const submission = withoutCallback(row.current.submission);
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

/** A version in flight whose newer, held one this import has released: the newer goes on in its place. */
export function overtake(row: LedgerRow, importId: string): LedgerRow | null {
  if (row.current === null || row.held === null) return null;
  const { version, submission } = row.held;
  return {
    ...row,
    // An importer may still write the older version, with a revision from its claim.
    revision: Math.max(row.revision, firstRevision(version)) + REVISIONS_OF_CLAIMS,
    held: null,
    current: {
      ...row.current,
      version,
      submission,
      import_id: importId,
      attempts: 0,
      faulted: {},
      fault: null,
      first_fault: null,
      failed_object: null,
      retried: false,
      steps: [],
    },
  };
}
