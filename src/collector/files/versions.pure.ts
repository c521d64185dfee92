import { HELD_FOR_MS, REPEAT_WINDOW_MS, RETRY_PAUSE_MS } from "../../contract/limits.ts";
import { RETRY_CAN_HELP } from "../../files/errorCodes.ts";
import { fileError, type FileError, type StoredObject } from "../../files/file.ts";
import type { FileEdits } from "../../files/edits.pure.ts";
import { inWords } from "../../contract/amounts.ts";
import type { FaultOrigin, FaultSeries } from "../dispatches/retrySchedule.pure.ts";
import { withStep, type Step } from "./steps.pure.ts";
import {
  hasContent,
  isSameSubmission,
  withoutUrl,
  withoutContent,
  type Submission,
} from "./submission.pure.ts";

/**
 * Versions of one file and their transitions. Pure: the time is an argument. A transition returns the same object when
 * its precondition does not hold.
 */

interface Version {
  version: number;
  submission: Submission;
}

/** The first fault of a version, with its time in Unix milliseconds. */
export type FirstFault = FileError & { at: number };

/** Attempts of a version that is not settled, and their faults. */
export interface Attempts {
  /** Number of ended attempts, counted on over retries, and over a new ping of a queued or failed file. */
  attempts: number;
  /** Events since the first dispatch, limited in number. */
  steps: readonly Step[];
  /** The latest fault, also from before a retry. Null before the first. */
  fault: FileError | null;
  /** When the attempt after a failed one is due, in Unix milliseconds. Null before the first fault and after a retry. */
  next_attempt_at: number | null;
  first_fault: FirstFault | null;
  /** Counted for each origin, so that an outage of this service's stores does not shorten the host's schedule. */
  faults: Partial<Record<FaultOrigin, FaultSeries>>;
  /** When its current postponement began, in Unix milliseconds. Null when it is not postponed. */
  postponed_since: number | null;
}

const NO_ATTEMPTS: Attempts = {
  attempts: 0,
  steps: [],
  fault: null,
  next_attempt_at: null,
  first_fault: null,
  faults: {},
  postponed_since: null,
};

/** A version that waits for a task. */
export interface HeldVersion extends Version {
  state: "held";
  /** Attempts to download it before its task. Null if only its task downloads it, or its bytes came with the ping. */
  prefetch: Attempts | null;
}

/** Fields that a version has from its release or first dispatch on. */
interface DispatchedVersion extends Version {
  /** Import that counts it. Null when no import does, as for a live ride. */
  import_id: string | null;
  /** Whether it follows a failed or skipped version that its import has counted. Another outcome corrects that count. */
  retried: boolean;
  /** Whether its import has counted it as skipped instead of failed. Absent: no. */
  skipped?: boolean;
  attempts: number;
  steps: readonly Step[];
}

/** A version that waits for an importer, is being imported, or waits for its next attempt. */
export interface QueuedVersion extends DispatchedVersion, Attempts {
  state: "queued";
  /** Bytes that an attempt stored. */
  failed_object: StoredObject | null;
}

export interface ImportedVersion extends DispatchedVersion {
  state: "imported";
  /** The revision that its importer wrote to the read model. */
  revision: number;
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

/** A file with a held version, a current version, or both. The held version is the newer one. */
export type FileVersions = FileNames & {
  /** Highest revision given out for this file. D1 accepts only higher ones. */
  revision: number;
  /** Highest sequence number of its pings that became versions. Null when none had one. */
  sequence_number: number | null;
  /** The partner's edits. They do not depend on the version. Null before the first. */
  edits: FileEdits | null;
} & ({ current: CurrentVersion; held: null } | { current: CurrentVersion | null; held: HeldVersion });

export function newestOf(file: FileVersions): HeldVersion | CurrentVersion {
  return file.held === null ? file.current : file.held;
}

/** Returns the revision of the imported version: below the file's while a newer version is held. -1 without one. */
export function importedRevision({ current }: FileVersions): number {
  return current?.state === "imported" ? current.revision : -1;
}

/** Returns the queued version with this number. Null after it is settled or replaced by a newer one. */
export function queuedVersion(file: FileVersions | undefined, version: number): QueuedVersion | null {
  const current = file?.current;
  return current?.state === "queued" && current.version === version ? current : null;
}

/** A version that an importer may claim. A held one is downloaded before its task, and not decoded. */
export type OpenVersion = QueuedVersion | (HeldVersion & { prefetch: Attempts });

/** Returns the version with this number if an importer may claim it. Null after it is settled or replaced. */
export function openVersion(file: FileVersions | undefined, version: number): OpenVersion | null {
  const held = file?.held;
  if (held?.version !== version) return queuedVersion(file, version);
  const { prefetch } = held;
  return prefetch === null || held.submission.callback_url === null ? null : { ...held, prefetch };
}

export function attemptsOf(open: OpenVersion): Attempts {
  return open.state === "held" ? open.prefetch : open;
}

function withAttempts(file: FileVersions, open: OpenVersion, attempts: Partial<Attempts>): FileVersions {
  return open.state === "held"
    ? { ...file, held: { ...open, prefetch: { ...open.prefetch, ...attempts } } }
    : { ...file, current: { ...open, ...attempts } };
}

/** Returns whether a held version is to be downloaded before its task, and no attempt has begun or been postponed. */
export function awaitsPrefetch({ submission, prefetch }: HeldVersion): boolean {
  return (
    prefetch !== null &&
    submission.callback_url !== null &&
    prefetch.steps.length === 0 &&
    prefetch.postponed_since === null
  );
}

/** Returns whether the file has a held version with attempts, which the read model shows. */
export function hasTriedHeld({ held }: FileVersions): boolean {
  return held !== null && held.prefetch !== null && held.prefetch.steps.length > 0;
}

/** Returns whether the download of a held version has failed, and is not tried again before its task. */
function isUnavailable({ prefetch }: HeldVersion): boolean {
  return prefetch !== null && prefetch.fault !== null && prefetch.next_attempt_at === null;
}

/** Revisions reserved for each version. */
const REVISIONS_PER_VERSION = 1_000;

/** Revisions reserved for claims that have not reported yet. A dispatch has fewer claims. */
const REVISIONS_OF_CLAIMS = 100;

/** Returns a version above all earlier ones, also when the clock steps back, after a release and after an erasure. */
export function nextVersion(file: FileVersions | null, floor: number, nowMs: number): number {
  return Math.max(nowMs, floor + 1, (file?.current?.version ?? 0) + 1, (file?.held?.version ?? 0) + 1);
}

export function firstRevision(version: number): number {
  return version * REVISIONS_PER_VERSION;
}

function queued(
  { version, submission }: Version,
  {
    import_id,
    retried,
    skipped = false,
    attempts = 0,
  }: Pick<QueuedVersion, "import_id" | "retried" | "skipped"> & { attempts?: number },
): QueuedVersion {
  return {
    version,
    state: "queued",
    submission,
    import_id,
    retried,
    ...(skipped ? { skipped } : {}),
    ...NO_ATTEMPTS,
    attempts,
    failed_object: null,
  };
}

/** Returns a held version as queued. After failed downloads, it has the whole retry schedule again. */
function released(held: HeldVersion, importId: string | null): QueuedVersion {
  const { attempts, steps, fault, first_fault } = held.prefetch ?? NO_ATTEMPTS;
  return { ...queued(held, { import_id: importId, retried: false, attempts }), steps, fault, first_fault };
}

/** Returns whether a ping is older than one that its file has accepted, by their sequence numbers. */
export function isSuperseded(file: FileVersions | null, { sequence_number }: Submission): boolean {
  const newest = file?.sequence_number ?? null;
  return sequence_number !== null && newest !== null && sequence_number < newest;
}

/** Returns whether a ping brings nothing new to its file. */
function isRepeat(file: FileVersions, ping: Submission, nowMs: number): boolean {
  if (file.held !== null) {
    // After a failed download the same URL may work again.
    return isSameSubmission(file.held.submission, ping) && !isUnavailable(file.held);
  }
  const { current } = file;
  if (current.state === "failed") return false;
  const equal = isSameSubmission(current.submission, ping);
  if (current.state === "imported") {
    return !ping.overwrite_mode || (equal && nowMs - current.submission.received_at < REPEAT_WINDOW_MS);
  }
  // After a failed attempt a different ping may have a URL that works.
  const lastAttemptFailed = current.fault !== null || current.retried;
  return equal || !(ping.overwrite_mode || lastAttemptFailed);
}

/**
 * Makes a ping the newest version of its file: held with priority 0, queued with priority 1. Unchanged when the ping is
 * superseded or a repeat. `file` is null for the first ping of a file. The new version is above `floor`. `prefetch`:
 * whether the bytes of a held version are downloaded before its task.
 */
export function acceptVersion(
  file: FileVersions | null,
  ping: FileNames & { submission: Submission },
  floor: number,
  nowMs: number,
  prefetch = false,
): FileVersions {
  const { file_id, summary_id, submission } = ping;
  if (file !== null && (isSuperseded(file, submission) || isRepeat(file, submission, nowMs))) return file;
  const sequence_number = submission.sequence_number ?? file?.sequence_number ?? null;
  const edits = file?.edits ?? null;
  const version = nextVersion(file, floor, nowMs);
  const revision = Math.max((file?.revision ?? 0) + 1, firstRevision(version));
  const current = file?.current ?? null;
  if (submission.priority === 0) {
    return {
      file_id,
      summary_id,
      revision,
      sequence_number,
      edits,
      current: current?.state === "failed" ? notRetryable(current) : current,
      held: {
        version,
        state: "held",
        submission,
        prefetch: prefetch && submission.callback_url !== null ? NO_ATTEMPTS : null,
      },
    };
  }
  return {
    file_id,
    summary_id,
    revision,
    sequence_number,
    edits,
    current: queued(
      { version, submission },
      {
        ...countedBy(current),
        attempts: current === null || current.state === "imported" ? 0 : current.attempts,
      },
    ),
    held: null,
  };
}

/**
 * Returns the import that counts a version which replaces this one. The import of a queued version waits for the newer
 * one. The import of a failed version has counted it, and corrects its count when the newer one is imported.
 */
function countedBy(
  replaced: CurrentVersion | null,
): Pick<QueuedVersion, "import_id" | "retried" | "skipped"> {
  if (replaced === null || replaced.state === "imported") return { import_id: null, retried: false };
  const { import_id } = replaced;
  if (replaced.state === "failed") {
    return { import_id, retried: import_id !== null, skipped: import_id !== null && isSkipped(replaced) };
  }
  return { import_id, retried: replaced.retried, skipped: replaced.skipped ?? false };
}

/** Returns whether a version was skipped because its import was cancelled. */
export function isSkipped({ fault }: FailedVersion): boolean {
  return fault.code === "import_cancelled";
}

/** Releases the held version into an import. Unchanged while an older version is queued: `supersede` handles that. */
export function release(file: FileVersions, importId: string | null): FileVersions {
  if (file.held === null || file.current?.state === "queued") return file;
  return {
    ...file,
    revision: Math.max(file.revision, firstRevision(file.held.version)),
    current: released(file.held, importId),
    held: null,
  };
}

/** Releases the held version in place of an older version that is queued. */
export function supersede(file: FileVersions, importId: string): FileVersions {
  if (file.held === null || file.current?.state !== "queued") return file;
  return {
    ...file,
    // An importer may still write the older version to D1, with a revision from its claim.
    revision: Math.max(file.revision, firstRevision(file.held.version)) + REVISIONS_OF_CLAIMS,
    current: released(file.held, importId),
    held: null,
  };
}

/** Settles the version as imported. `revision` is the one that the importer wrote to the read model. */
export function succeed(file: FileVersions, version: number, revision: number, nowMs: number): FileVersions {
  const tried = queuedVersion(file, version);
  if (tried === null) return file;
  const attempts = tried.attempts + 1;
  const current: ImportedVersion = {
    version,
    state: "imported",
    revision,
    submission: withoutContent(tried.submission),
    import_id: tried.import_id,
    retried: tried.retried,
    attempts,
    steps: withStep(tried.steps, { at: nowMs, what: "imported", attempt: attempts, code: null }),
    settled_at: nowMs,
  };
  // A newer ping held meanwhile may have raised the revision above that of this attempt. Its own attempts get a revision
  // above both, because D1 rejects them after the importer's write.
  return { ...file, revision: Math.max(file.revision, revision) + (hasTriedHeld(file) ? 1 : 0), current };
}

/** Error of a failed attempt, and the bytes that it stored. */
export interface FailedAttempt {
  fault: FileError;
  stored: StoredObject | null;
}

function afterAttempt(tried: Attempts, fault: FileError, nowMs: number): Attempts {
  return {
    ...tried,
    attempts: tried.attempts + 1,
    fault,
    next_attempt_at: null,
    first_fault: tried.first_fault ?? { ...fault, at: nowMs },
    postponed_since: null,
  };
}

function withFailedAttempt({ attempts, steps }: Attempts, { code }: FileError, nowMs: number) {
  return withStep(steps, { at: nowMs, what: "attempt_failed", attempt: attempts, code });
}

/** Returns the queued version with the bytes that an attempt has stored. */
function withObject(file: FileVersions, open: OpenVersion, stored: StoredObject | null): FileVersions {
  if (open.state === "held" || stored === null || file.current?.state !== "queued") return file;
  return { ...file, current: { ...file.current, failed_object: stored } };
}

/** Returns the fault series of an origin with one more fault at this time. */
export function nextFaultSeries({ faults }: Attempts, origin: FaultOrigin, nowMs: number): FaultSeries {
  const { times, since } = faults[origin] ?? { times: 0, since: nowMs };
  return { times: times + 1, since };
}

/** Records a failed attempt that is retried at `retryAt`. */
export function failAttempt(
  file: FileVersions,
  version: number,
  { fault, stored, origin, retryAt }: FailedAttempt & { origin: FaultOrigin; retryAt: number },
  revision: number,
  nowMs: number,
): FileVersions {
  const open = openVersion(file, version);
  if (open === null) return file;
  const tried = attemptsOf(open);
  const after = afterAttempt(tried, fault, nowMs);
  const changed = withAttempts({ ...file, revision }, open, {
    ...after,
    next_attempt_at: retryAt,
    faults: { ...tried.faults, [origin]: nextFaultSeries(tried, origin, nowMs) },
    steps: withFailedAttempt(after, fault, nowMs),
  });
  return withObject(changed, open, stored);
}

/** Records a failed attempt that is not retried: a queued version fails. A held one waits for its task. */
export function failLastAttempt(
  file: FileVersions,
  version: number,
  { fault, stored }: FailedAttempt,
  revision: number,
  nowMs: number,
): FileVersions {
  const open = openVersion(file, version);
  if (open === null) return file;
  const after = afterAttempt(attemptsOf(open), fault, nowMs);
  if (open.state === "held") {
    return withAttempts({ ...file, revision }, open, {
      ...after,
      steps: withFailedAttempt(after, fault, nowMs),
    });
  }
  const last = { ...open, ...after, failed_object: stored ?? open.failed_object };
  return fail(file, last, fault, revision, nowMs);
}

/** Postpones the version without counting an attempt. The revision stays, because the read model does not change. */
export function postpone(
  file: FileVersions,
  version: number,
  stored: StoredObject | null,
  nowMs: number,
): FileVersions {
  const open = openVersion(file, version);
  if (open === null) return file;
  const postponed_since = attemptsOf(open).postponed_since ?? nowMs;
  return withObject(withAttempts(file, open, { postponed_since }), open, stored);
}

/** Fails a version that was postponed for too long, without another attempt. A held one waits for its task. */
export function failPostponed(
  file: FileVersions,
  version: number,
  { fault, stored }: FailedAttempt,
  revision: number,
  nowMs: number,
): FileVersions {
  const open = openVersion(file, version);
  if (open === null) return file;
  const tried = attemptsOf(open);
  // A fault from before a retry does not explain this failure.
  const hasFailed = Object.keys(tried.faults).length > 0;
  const explained = (hasFailed ? tried.fault : null) ?? fault;
  if (open.state === "held") return leaveToTask(file, open, explained, revision);
  const last = { ...open, failed_object: stored ?? open.failed_object };
  return fail(file, last, explained, revision, nowMs);
}

function leaveToTask(
  file: FileVersions,
  held: OpenVersion,
  fault: FileError | null,
  revision: number,
): FileVersions {
  return withAttempts({ ...file, revision }, held, { fault, next_attempt_at: null, postponed_since: null });
}

/** Records that a held version is not downloaded before its task any more. Unchanged without a planned attempt. */
export function stopPrefetch(file: FileVersions): FileVersions {
  const open = file.held === null ? null : openVersion(file, file.held.version);
  if (open === null || attemptsOf(open).next_attempt_at === null) return file;
  return leaveToTask(file, open, attemptsOf(open).fault, file.revision + 1);
}

/** Records that the bytes of a version are stored. Its URL is deleted, because it is not called again. */
export function keepBytes(
  file: FileVersions,
  version: number,
  { key }: StoredObject,
  nowMs: number,
): FileVersions {
  const open = openVersion(file, version);
  if (open === null) return file;
  const { steps, fault } = attemptsOf(open);
  const submission = { ...withoutUrl(open.submission), object_key: key };
  const changed = withAttempts(
    file,
    { ...open, submission },
    {
      steps: withStep(steps, { at: nowMs, what: "downloaded", attempt: null, code: null }),
      fault: null,
      next_attempt_at: null,
      postponed_since: null,
    },
  );
  // The read model shows the fault of an earlier attempt.
  return fault === null ? changed : { ...changed, revision: file.revision + 1 };
}

/** Records an attempt without a report, because its claim expired. It may have used up a single-use URL. */
export function interruptAttempt(file: FileVersions, version: number, nowMs: number): FileVersions {
  const open = openVersion(file, version);
  if (open === null) return file;
  const tried = attemptsOf(open);
  const attempts = tried.attempts + 1;
  const interruption: FirstFault = {
    ...fileError("internal", "The attempt was interrupted on our side."),
    at: nowMs,
  };
  // The read model shows the attempts of a held version.
  const revision = open.state === "held" ? file.revision + 1 : file.revision;
  return withAttempts({ ...file, revision }, open, {
    attempts,
    first_fault: tried.first_fault ?? interruption,
    steps: withStep(tried.steps, { at: nowMs, what: "attempt_interrupted", attempt: attempts, code: null }),
  });
}

/** Fails a version after its exclusive claim expired: the file probably crashes every importer. */
export function failExhausted(
  file: FileVersions,
  version: number,
  revision: number,
  nowMs: number,
): FileVersions {
  const open = openVersion(file, version);
  if (open === null) return file;
  const fault = fileError(
    "internal",
    "Several attempts to import this file stopped without a result. We logged the problem.",
  );
  return open.state === "held"
    ? leaveToTask(file, open, fault, revision)
    : fail(file, open, fault, revision, nowMs);
}

/**
 * Skips a queued version of a cancelled import. It can be retried while its URL or its bytes are stored. A live ride that
 * has replaced an older version is only counted as skipped: it is imported. Unchanged when the import has counted it.
 */
export function skip(file: FileVersions, nowMs: number): FileVersions {
  const tried = file.current;
  if (tried?.state !== "queued" || tried.retried) return file;
  if (tried.submission.priority === 1) {
    const live: QueuedVersion = { ...tried, retried: true, skipped: true };
    return { ...file, current: live };
  }
  const fault = fileError("import_cancelled", "The import was cancelled before this file was imported.");
  // An importer whose claim has expired may still write the file to D1, with a revision from its claim.
  return fail(file, tried, fault, file.revision + REVISIONS_OF_CLAIMS, nowMs);
}

/** Fails a version that was held for too long. It can be retried while its URL is stored. */
export function expireHeld(file: FileVersions, nowMs: number): FileVersions {
  if (file.held === null) return file;
  const fault = fileError(
    "held_expired",
    `Held for ${inWords(HELD_FOR_MS)} without a bulk_fit_transfer_complete task for this user and source.`,
  );
  const unreleased = released(file.held, null);
  return fail({ ...file, current: unreleased, held: null }, unreleased, fault, file.revision + 1, nowMs);
}

/** Settles a version as failed. It keeps its URL and bytes for a retry, unless a newer version is held. */
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
      ? `${fault.detail} The first attempt failed with ${first_fault.code}: ${first_fault.detail}`
      : fault.detail;
  const submission: Submission =
    failed_object === null ? tried.submission : { ...tried.submission, object_key: failed_object.key };
  const isKept = hasContent(submission);
  const failed: FailedVersion = {
    version: tried.version,
    state: "failed",
    submission: isKept ? submission : withoutContent(submission),
    import_id: tried.import_id,
    retried: tried.retried,
    attempts,
    steps: withStep(tried.steps, {
      at: nowMs,
      what: fault.code === "import_cancelled" ? "skipped" : "failed",
      attempt: attempts === 0 ? null : attempts,
      code: fault.code,
    }),
    fault: { ...fault, detail, retryable: isKept && RETRY_CAN_HELP[fault.code] },
    first_fault,
    failed_object,
    settled_at: nowMs,
  };
  return { ...file, revision, current: file.held === null ? failed : notRetryable(failed) };
}

/**
 * Returns the failed version without URL and bytes, so that it cannot be retried. A newer version is held, so its import
 * counts it as skipped.
 */
function notRetryable(failed: FailedVersion): FailedVersion {
  return {
    ...failed,
    import_id: null,
    retried: false,
    submission: withoutContent(failed.submission),
    fault: { ...failed.fault, retryable: false },
    failed_object: null,
  };
}

/**
 * Who retries a failed file. A partner retries only what a retry can help. An operator also retries other files, which a
 * newer decoder may import.
 */
export type RetriedBy = "partner" | "operator";

/** Returns how an import counts a file after its version failed: as skipped when a newer version is held. */
export function failedAs(file: FileVersions): "failed" | "skipped" {
  return file.held === null ? "failed" : "skipped";
}

/** Returns the failed version that a retry would queue. Null when a newer one is held, or URL and bytes are gone. */
function retryable(file: FileVersions, by: RetriedBy): FailedVersion | null {
  const failed = file.current;
  if (file.held !== null || failed?.state !== "failed" || !hasContent(failed.submission)) return null;
  return by === "operator" || failed.fault.retryable ? failed : null;
}

/** Returns when a failed version may be retried, in Unix milliseconds: 0 for the first retry. Null for never. */
export function retryableAt(file: FileVersions, by: RetriedBy): number | null {
  const failed = retryable(file, by);
  if (failed === null) return null;
  const last = failed.steps.findLast((step) => step.what === "retried");
  return last === undefined ? 0 : last.at + RETRY_PAUSE_MS;
}

/** Queues a failed version again. Unchanged when it cannot be retried, or not yet. */
export function retry(file: FileVersions, by: RetriedBy, nowMs: number): FileVersions {
  const failed = retryable(file, by);
  if (failed === null || (retryableAt(file, by) ?? 0) > nowMs) return file;
  const current: QueuedVersion = {
    ...queued(failed, {
      import_id: failed.import_id,
      retried: true,
      skipped: isSkipped(failed),
      attempts: failed.attempts,
    }),
    fault: failed.fault,
    failed_object: failed.failed_object,
    steps: withStep(failed.steps, { at: nowMs, what: "retried", attempt: null, code: null }),
  };
  return { ...file, revision: file.revision + 1, current };
}

/** Deletes the URL of a failed version when it is too old. The version can still be retried from stored bytes. */
export function dropUrl(file: FileVersions): FileVersions {
  const failed = file.current;
  if (failed?.state !== "failed" || failed.submission.callback_url === null) return file;
  const submission = withoutUrl(failed.submission);
  const current: FailedVersion = {
    ...failed,
    submission,
    fault: { ...failed.fault, retryable: failed.fault.retryable && hasContent(submission) },
  };
  return { ...file, revision: file.revision + 1, current };
}
