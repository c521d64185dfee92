import type { FileError, FileErrorCode, StoredObject } from "../files/file.ts";
import { callbackDigest } from "../identifiers.ts";
import type { FaultOrigin } from "./retrySchedule.ts";

/** What the collector knows of one file, and the decisions about it. Pure: the time is an argument. */

/** A ping as it was taken, without the names that the row and the collector already carry. */
export interface Submission {
  activity_name: string | null;
  priority: 0 | 1;
  overwrite_mode: boolean;
  start_time_in_seconds: string;
  /** Where to download from; null once erased, or when the bytes came with the ping. */
  callback_url: string | null;
  /** Where bytes of this version already lie: sent inline, or kept from an attempt that failed later. */
  object_key: string | null;
  /** Hash of callback_url as it was pinged, where that is not kept; null where it is. */
  callback_digest: string | null;
  received_at: number;
}

/** What happened to a version, when (Unix milliseconds), in which attempt. */
export interface Step {
  at: number;
  what: "attempt_failed" | "attempt_interrupted" | "imported" | "failed" | "retried";
  attempt?: number;
  code?: FileErrorCode;
}

/** The version that was dispatched last, in flight or settled. */
export interface CurrentVersion {
  version: number;
  state: "queued" | "imported" | "failed";
  submission: Submission;
  import_id: string | null;
  /** Failed before and asked for once more; its import has counted it already, and the outcome corrects that. */
  retried?: boolean;
  attempts: number;
  /** Attempts that each side's faults have cost, and since when: an outage of ours uses up no host's time. */
  faulted?: Partial<Record<FaultOrigin, { times: number; since: number }>>;
  /** The first and the latest thing that went wrong with this version. */
  first_fault: (FileError & { at: number }) | null;
  fault: FileError | null;
  /** Bytes of this version that were stored although it failed. */
  failed_object: StoredObject | null;
  settled_at: number | null;
  /** What happened since it was dispatched, bounded. */
  steps?: Step[];
}

export interface HeldVersion {
  version: number;
  submission: Submission;
}

/** A file has at most one dispatched (or settled) version and one held version. */
export interface LedgerRow {
  file_id: string;
  summary_id: string;
  /** The highest revision given out for this file; D1 takes strictly higher ones only. */
  revision: number;
  current: CurrentVersion | null;
  held: HeldVersion | null;
}

/** The version that a file is about: the held one, for it came last. Null: all of it was erased. */
export function newestOf(row: LedgerRow): HeldVersion | CurrentVersion | null {
  return row.held ?? row.current;
}

/** Within this time an equal ping is a partner repeating a request whose answer it lost. */
export const REPEAT_WINDOW_MS = 10 * 60_000;

/** Room for the state changes of one version between its revision and the next version's. */
const REVISIONS_PER_VERSION = 1_000;

/** More than the claims that one dispatch can see: their revisions are in no ledger until they report. */
export const REVISIONS_OF_CLAIMS = 100;

export type PingVerdict = "hold" | "held_already" | "dispatch" | "duplicate";

function callbackDigestOf({ callback_digest, callback_url }: Submission): string | null {
  return callback_digest ?? (callback_url === null ? null : callbackDigest(callback_url));
}

/** Whether two pings of one file are equal in all nine fields. A URL is hashed only where it meets a hash. */
export function saysTheSame(a: Submission, b: Submission): boolean {
  return (
    a.activity_name === b.activity_name &&
    a.priority === b.priority &&
    a.overwrite_mode === b.overwrite_mode &&
    a.start_time_in_seconds === b.start_time_in_seconds &&
    (a.callback_url !== null && b.callback_url !== null
      ? a.callback_url === b.callback_url
      : callbackDigestOf(a) === callbackDigestOf(b))
  );
}

/** What a ping means for its file; `row` is null for a file never pinged before. */
export function judgePing(
  row: Pick<LedgerRow, "current" | "held"> | null,
  ping: Submission,
  nowMs: number,
): PingVerdict {
  const fresh = ping.priority === 1 ? "dispatch" : "hold";
  if (row === null) return fresh;
  if (row.held !== null) return saysTheSame(row.held.submission, ping) ? "held_already" : fresh;
  const current = row.current;
  if (current === null || current.state === "failed") return fresh;
  const equal = saysTheSame(current.submission, ping);
  if (current.state === "imported") {
    const repeated = equal && nowMs - current.submission.received_at < REPEAT_WINDOW_MS;
    return repeated || !ping.overwrite_mode ? "duplicate" : fresh;
  }
  // In flight after an attempt that failed, any other ping may bring the URL that works.
  const lastAttemptFailed = current.fault !== null || current.retried === true;
  return equal || !(ping.overwrite_mode || lastAttemptFailed) ? "duplicate" : fresh;
}

/** Versions never restart: not when the clock steps back, not after a release, not after an erasure. */
export function nextVersion(row: LedgerRow | null, floor: number, nowMs: number): number {
  return Math.max(nowMs, floor + 1, (row?.current?.version ?? 0) + 1, (row?.held?.version ?? 0) + 1);
}

export function firstRevision(version: number): number {
  return version * REVISIONS_PER_VERSION;
}

/** A settled version keeps what makes a repeat a duplicate; a failure that can be tried again also its URL. */
export function shrunk(submission: Submission, keepSource: boolean): Submission {
  return keepSource ? submission : { ...withoutCallback(submission), object_key: null };
}

/** The submission without its URL, but so that a repetition of it is still recognized. */
export function withoutCallback(submission: Submission): Submission {
  return { ...submission, callback_url: null, callback_digest: callbackDigestOf(submission) };
}
