import type { FileError, StoredObject } from "../files/file.ts";
import type { FileState } from "../files/write.ts";
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

/** A ping that became a version of its file. Short, because a request has thousands. */
export interface TakenEntry {
  status: "queued" | "held";
  version: number;
  /** What the read model needs besides the ping itself. */
  taken: { revision: number; import_id: string | null };
}

/** A ping that repeats its file's newest version. No version references bytes that it brought. */
export interface RepeatedEntry {
  status: "held" | "duplicate";
  /** The version that it repeats. */
  version: number;
  taken: null;
  /** The state of that version for the read model; null when it is settled, or another entry carries it. */
  state: FileState | null;
}

/** What became of a ping. Results have the order of the entries. */
export type AcceptedEntry = TakenEntry | RepeatedEntry;

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
