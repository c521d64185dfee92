import type { FileError, StoredObject } from "../files/file.ts";
import type { ImportProjection } from "../imports/write.ts";
import type { FaultOrigin } from "./dispatches/retrySchedule.pure.ts";
import type { Submission } from "./files/submission.pure.ts";

/** Arguments and results of the collector's methods. */

/** Whose files a collector owns: one user's from one source. */
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

export type PingStatus = "queued" | "held" | "duplicate";

/** What became of pings, in their order. Arrays of plain values, because a request has thousands. */
export interface AcceptedPings {
  statuses: PingStatus[];
  /** The version that each ping became, or repeats. */
  versions: number[];
  /** Indexes of the pings whose inline bytes no version references: they repeat their file's newest version. */
  repeats: number[];
}

export interface TaskEntry {
  import_id: string;
  event_id: string | null;
  is_initial_import: boolean;
  /** Ids of all files that the partner says it has sent; null when it does not say. */
  expected: string[] | null;
}

export interface StartedImport {
  import: ImportProjection;
  repeated: boolean;
  /** Indexes in `expected` of the files that were never pinged. */
  missing: number[] | null;
  /** Whether the read model may not list this user and source yet. */
  first_contact: boolean;
}

export interface WorkItem {
  file_id: string;
  summary_id: string;
  version: number;
  revision: number;
  attempts: number;
  import_id: string | null;
  submission: Submission;
  /** Bytes of this version may be stored already: look there before any download. */
  look_first: boolean;
}

/** An importer that asks for a dispatch. */
export interface Claimant {
  /** Chosen by the importer. Asking again with the same one returns the same claim: the first answer may be lost. */
  claim: string;
  /** The queue message that it works on. */
  message_id: string;
  /** Which delivery of the message this is, from 1. A higher one means that the earlier delivery has ended. */
  attempt: number;
}

export interface Claim {
  claim: string;
  /** Unix milliseconds; a report before then renews it. */
  until: number;
  names: CollectorNames;
  /** The file may kill its importer: import it with no other file in memory. */
  exclusive: boolean;
  items: WorkItem[];
}

/** An importer's report on one file. */
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
    }
  | PostponedOutcome;

/** No attempt was made, or none that counts: the file is dispatched again, on the RETRY queue. */
export interface PostponedOutcome {
  result: "postponed";
  file_id: string;
  version: number;
  /** `host`: its host had no room, and nothing was asked for. `own_store`: the bytes are stored, D1 took nothing. */
  origin: FaultOrigin;
  /** Bytes that are stored already. */
  stored: StoredObject | null;
  /** Least time until the next dispatch, in milliseconds. */
  for_ms: number;
}
