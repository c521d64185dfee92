import type { FileError, StoredObject } from "../../files/file.ts";
import type { FaultOrigin, FaultSeries } from "../dispatches/retrySchedule.pure.ts";
import { withStep, type Step } from "./steps.pure.ts";
import {
  hasSource,
  saysTheSame,
  withoutCallback,
  withoutSource,
  type Submission,
} from "./submission.pure.ts";

/**
 * The versions of one file, and everything that can happen to them. Pure: the time is an argument. A transition
 * returns the same object when its precondition does not hold.
 */

interface Version {
  version: number;
  submission: Submission;
}

/** Waits for a task. */
export interface HeldVersion extends Version {
  state: "held";
}

/** What a version keeps from its dispatch on. */
interface DispatchedVersion extends Version {
  /** The import that counts it; null for a live ride. */
  import_id: string | null;
  /** It failed before and was retried. Its import has already counted it as failed; success corrects that. */
  retried: boolean;
  /** Attempts that ended. */
  attempts: number;
  /** What happened since the dispatch, bounded. */
  steps: readonly Step[];
}

/** The first fault of a version, with its time in Unix milliseconds. */
export type FirstFault = FileError & { at: number };

/** In the hands of dispatches: waits for an importer, is being imported, or waits for its next attempt. */
export interface QueuedVersion extends DispatchedVersion {
  state: "queued";
  /** The latest fault; null before the first. */
  fault: FileError | null;
  first_fault: FirstFault | null;
  /** Counted for each origin, so that an outage of our stores does not shorten the host's schedule. */
  faults: Partial<Record<FaultOrigin, FaultSeries>>;
  /** Since when it has been postponed without an attempt, in Unix milliseconds; null: it is not. */
  postponed_since: number | null;
  /** Bytes that a failed attempt stored. */
  failed_object: StoredObject | null;
}

export interface ImportedVersion extends DispatchedVersion {
  state: "imported";
  settled_at: number;
}

export interface FailedVersion extends DispatchedVersion {
  state: "failed";
  fault: FileError;
  first_fault: FirstFault | null;
  failed_object: StoredObject | null;
  settled_at: number;
}

/** The version that was dispatched last. */
export type CurrentVersion = QueuedVersion | ImportedVersion | FailedVersion;

export interface FileNames {
  file_id: string;
  summary_id: string;
}

/** A file has a held version, a current one, or both; the held one is the newer. */
export type FileVersions = FileNames & {
  /** The highest revision given out for this file; D1 accepts only higher ones. */
  revision: number;
} & ({ current: CurrentVersion; held: null } | { current: CurrentVersion | null; held: HeldVersion });

export function newestOf(file: FileVersions): HeldVersion | CurrentVersion {
  return file.held === null ? file.current : file.held;
}

/** The queued version with this number; null once it is settled or a newer one replaced it. */
export function queuedVersion(file: FileVersions | undefined, version: number): QueuedVersion | null {
  const current = file?.current;
  return current?.state === "queued" && current.version === version ? current : null;
}

/** Within this time an equal ping is a partner that repeats a request because it lost the answer. */
export const REPEAT_WINDOW_MS = 10 * 60_000;

/** Room for the state changes of one version between its revision and the next version's. */
const REVISIONS_PER_VERSION = 1_000;

/** More than the claims of one dispatch: no row has their revisions until they report. */
const REVISIONS_OF_CLAIMS = 100;

/** Versions never restart: not when the clock steps back, not after a release, not after an erasure. */
export function nextVersion(file: FileVersions | null, floor: number, nowMs: number): number {
  return Math.max(nowMs, floor + 1, (file?.current?.version ?? 0) + 1, (file?.held?.version ?? 0) + 1);
}

export function firstRevision(version: number): number {
  return version * REVISIONS_PER_VERSION;
}

function queued(
  { version, submission }: Version,
  { import_id, retried }: { import_id: string | null; retried: boolean },
): QueuedVersion {
  return {
    version,
    state: "queued",
    submission,
    import_id,
    retried,
    attempts: 0,
    steps: [],
    fault: null,
    first_fault: null,
    faults: {},
    postponed_since: null,
    failed_object: null,
  };
}

/** Whether a ping brings nothing new to its file. */
function isRepeat(file: FileVersions, ping: Submission, nowMs: number): boolean {
  if (file.held !== null) return saysTheSame(file.held.submission, ping);
  const { current } = file;
  if (current.state === "failed") return false;
  const equal = saysTheSame(current.submission, ping);
  if (current.state === "imported") {
    return !ping.overwrite_mode || (equal && nowMs - current.submission.received_at < REPEAT_WINDOW_MS);
  }
  // After a failed attempt any other ping may bring the URL that works.
  const lastAttemptFailed = current.fault !== null || current.retried;
  return equal || !(ping.overwrite_mode || lastAttemptFailed);
}

/**
 * A ping becomes its file's newest version: held with priority 0, queued with priority 1. Unchanged when it repeats
 * the newest version. `file` is null for the first ping of a file, `floor` the version below which none may start.
 */
export function accept(
  file: FileVersions | null,
  ping: FileNames & { submission: Submission },
  floor: number,
  nowMs: number,
): FileVersions {
  const { file_id, summary_id, submission } = ping;
  if (file !== null && isRepeat(file, submission, nowMs)) return file;
  const version = nextVersion(file, floor, nowMs);
  const revision = Math.max((file?.revision ?? 0) + 1, firstRevision(version));
  const current = file?.current ?? null;
  if (submission.priority === 0) {
    return {
      file_id,
      summary_id,
      revision,
      current: current?.state === "failed" ? notRetryable(current) : current,
      held: { version, state: "held", submission },
    };
  }
  // In a running import the newer version replaces the older one: the import waits for it instead.
  const replaced = current?.state === "queued" ? current : null;
  return {
    file_id,
    summary_id,
    revision,
    current: queued(
      { version, submission },
      { import_id: replaced?.import_id ?? null, retried: replaced?.retried ?? false },
    ),
    held: null,
  };
}

/** A task releases the held version into its import. `supersede` is for a file whose older version is queued. */
export function release(file: FileVersions, importId: string | null): FileVersions {
  if (file.held === null || file.current?.state === "queued") return file;
  return {
    ...file,
    revision: Math.max(file.revision, firstRevision(file.held.version)),
    current: queued(file.held, { import_id: importId, retried: false }),
    held: null,
  };
}

/** A task releases the held version while an older one is queued: the newer one replaces it. */
export function supersede(file: FileVersions, importId: string): FileVersions {
  if (file.held === null || file.current?.state !== "queued") return file;
  return {
    ...file,
    // An importer may still write the older version, with a revision from its claim.
    revision: Math.max(file.revision, firstRevision(file.held.version)) + REVISIONS_OF_CLAIMS,
    current: queued(file.held, { import_id: importId, retried: false }),
    held: null,
  };
}

/** An attempt imported the version. `revision` is the one that the read model has. */
export function succeed(file: FileVersions, version: number, revision: number, nowMs: number): FileVersions {
  const tried = queuedVersion(file, version);
  if (tried === null) return file;
  const attempts = tried.attempts + 1;
  const current: ImportedVersion = {
    version,
    state: "imported",
    submission: withoutSource(tried.submission),
    import_id: tried.import_id,
    retried: tried.retried,
    attempts,
    steps: withStep(tried.steps, { at: nowMs, what: "imported", attempt: attempts, code: null }),
    settled_at: nowMs,
  };
  // A newer ping held meanwhile may have brought the read model further than this attempt did.
  return { ...file, revision: Math.max(file.revision, revision), current };
}

/** Why an attempt failed, and the bytes that it stored nevertheless. */
export interface FailedAttempt {
  fault: FileError;
  stored: StoredObject | null;
}

function afterAttempt(tried: QueuedVersion, { fault, stored }: FailedAttempt, nowMs: number): QueuedVersion {
  return {
    ...tried,
    attempts: tried.attempts + 1,
    fault,
    first_fault: tried.first_fault ?? { ...fault, at: nowMs },
    postponed_since: null,
    failed_object: stored ?? tried.failed_object,
  };
}

/** The faults of this origin, with one more at this time. */
export function nextFaultSeries(queued: QueuedVersion, origin: FaultOrigin, nowMs: number): FaultSeries {
  const { times, since } = queued.faults[origin] ?? { times: 0, since: nowMs };
  return { times: times + 1, since };
}

/** An attempt failed, and another one follows. */
export function failAttempt(
  file: FileVersions,
  version: number,
  attempt: FailedAttempt & { origin: FaultOrigin },
  revision: number,
  nowMs: number,
): FileVersions {
  const tried = queuedVersion(file, version);
  if (tried === null) return file;
  const { origin, fault } = attempt;
  const after = afterAttempt(tried, attempt, nowMs);
  const step = { at: nowMs, what: "attempt_failed", attempt: after.attempts, code: fault.code } as const;
  const current: QueuedVersion = {
    ...after,
    faults: { ...tried.faults, [origin]: nextFaultSeries(tried, origin, nowMs) },
    steps: withStep(tried.steps, step),
  };
  return { ...file, revision, current };
}

/** An attempt failed, and no other one follows. */
export function giveUp(
  file: FileVersions,
  version: number,
  attempt: FailedAttempt,
  revision: number,
  nowMs: number,
): FileVersions {
  const tried = queuedVersion(file, version);
  if (tried === null) return file;
  return fail(file, afterAttempt(tried, attempt, nowMs), attempt.fault, revision, nowMs);
}

/** No attempt was made for now, or none that counts. The read model learns nothing of it. */
export function postpone(
  file: FileVersions,
  version: number,
  stored: StoredObject | null,
  nowMs: number,
): FileVersions {
  const tried = queuedVersion(file, version);
  if (tried === null) return file;
  const { postponed_since, failed_object } = tried;
  const current = {
    ...tried,
    postponed_since: postponed_since ?? nowMs,
    failed_object: stored ?? failed_object,
  };
  return { ...file, current };
}

/** The version was postponed for too long: it fails without another attempt. */
export function endPostponed(
  file: FileVersions,
  version: number,
  { fault, stored }: FailedAttempt,
  revision: number,
  nowMs: number,
): FileVersions {
  const tried = queuedVersion(file, version);
  if (tried === null) return file;
  const last = { ...tried, failed_object: stored ?? tried.failed_object };
  return fail(file, last, tried.fault ?? fault, revision, nowMs);
}

/** A claim expired without a report. The attempt may have used up the URL, and a later fault should say so. */
export function expireClaim(file: FileVersions, version: number, nowMs: number): FileVersions {
  const tried = queuedVersion(file, version);
  if (tried === null) return file;
  const attempts = tried.attempts + 1;
  const interruption: FirstFault = {
    code: "internal",
    detail: "That attempt was interrupted on our side.",
    http_status: null,
    retryable: true,
    at: nowMs,
  };
  const current: QueuedVersion = {
    ...tried,
    attempts,
    first_fault: tried.first_fault ?? interruption,
    steps: withStep(tried.steps, { at: nowMs, what: "attempt_interrupted", attempt: attempts, code: null }),
  };
  return { ...file, current };
}

/** Its claims expired too often: the file may kill every importer that works on it. */
export function lose(file: FileVersions, version: number, revision: number, nowMs: number): FileVersions {
  const tried = queuedVersion(file, version);
  if (tried === null) return file;
  const fault: FileError = {
    code: "internal",
    detail: "The import of this file ended without an answer several times. We were told of it.",
    http_status: null,
    retryable: true,
  };
  return fail(file, tried, fault, revision, nowMs);
}

/** No task released the held version in time. It can be retried while its URL is kept. */
export function expire(file: FileVersions, nowMs: number): FileVersions {
  if (file.held === null) return file;
  const fault: FileError = {
    code: "held_expired",
    detail: "Held for 30 days without a bulk_fit_transfer_complete task for this user and source.",
    http_status: null,
    retryable: true,
  };
  const unreleased = queued(file.held, { import_id: null, retried: false });
  return fail({ ...file, current: unreleased, held: null }, unreleased, fault, file.revision + 1, nowMs);
}

/** Ends a version as failed. It keeps what a retry needs, unless a newer version is held. */
function fail(
  file: FileVersions,
  tried: QueuedVersion,
  fault: FileError,
  revision: number,
  nowMs: number,
): FileVersions {
  const { first_fault, failed_object, attempts } = tried;
  const detail =
    fault.code === "callback_gone" && first_fault !== null && first_fault.code !== "callback_gone"
      ? `${fault.detail} The first attempt had failed with ${first_fault.code}: ${first_fault.detail}`
      : fault.detail;
  const submission: Submission =
    failed_object === null ? tried.submission : { ...tried.submission, object_key: failed_object.key };
  const retryable = hasSource(submission);
  const failed: FailedVersion = {
    version: tried.version,
    state: "failed",
    submission: retryable ? submission : withoutSource(submission),
    import_id: tried.import_id,
    retried: tried.retried,
    attempts,
    steps: withStep(tried.steps, {
      at: nowMs,
      what: "failed",
      attempt: attempts === 0 ? null : attempts,
      code: fault.code,
    }),
    fault: { ...fault, detail, retryable },
    first_fault,
    failed_object,
    settled_at: nowMs,
  };
  return { ...file, revision, current: file.held === null ? failed : notRetryable(failed) };
}

/** The failure with nothing left to retry it from. */
function notRetryable(failed: FailedVersion): FailedVersion {
  return {
    ...failed,
    submission: withoutSource(failed.submission),
    fault: { ...failed.fault, retryable: false },
    failed_object: null,
  };
}

/** A version is retried at most once in this time: each retry may be a request to a host that keeps failing. */
export const RETRY_PAUSE_MS = 60_000;

/** The failed version that a retry would queue. Null when a newer one is held, or nothing is left to import from. */
function retryable(file: FileVersions): FailedVersion | null {
  const failed = file.current;
  return file.held === null && failed?.state === "failed" && hasSource(failed.submission) ? failed : null;
}

/** When a failed version may be retried, in Unix milliseconds: 0 for the first retry. Null when it cannot be. */
export function retryableAt(file: FileVersions): number | null {
  const failed = retryable(file);
  if (failed === null) return null;
  const last = failed.steps.findLast((step) => step.what === "retried");
  return last === undefined ? 0 : last.at + RETRY_PAUSE_MS;
}

/** Queues a failed version again. Unchanged when it cannot be retried, or not yet. */
export function retry(file: FileVersions, nowMs: number): FileVersions {
  const failed = retryable(file);
  if (failed === null || (retryableAt(file) ?? 0) > nowMs) return file;
  const current: QueuedVersion = {
    ...queued(failed, { import_id: failed.import_id, retried: true }),
    failed_object: failed.failed_object,
    steps: withStep(failed.steps, { at: nowMs, what: "retried", attempt: null, code: null }),
  };
  return { ...file, revision: file.revision + 1, current };
}

/** The failure loses its URL, which is too old for a retry. Stored bytes can still be retried. */
export function dropUrl(file: FileVersions): FileVersions {
  const failed = file.current;
  if (failed?.state !== "failed" || failed.submission.callback_url === null) return file;
  const submission = withoutCallback(failed.submission);
  const current: FailedVersion = {
    ...failed,
    submission,
    fault: { ...failed.fault, retryable: hasSource(submission) },
  };
  return { ...file, revision: file.revision + 1, current };
}
