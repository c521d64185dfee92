import type { FileState } from "../files/write.ts";
import type { ImportProjection } from "../imports/write.ts";
import type { Submission } from "./ledger.ts";

/** What goes in and out of the collector's methods. */

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

/** A ping that was taken as a version of its file. Short, because a request has thousands. */
export interface TakenEntry {
  status: "queued" | "held";
  version: number;
  /** What the read model should say of it, beyond what the ping says itself. */
  taken: { revision: number; import_id: string | null };
}

/** A ping that repeats its file's newest version; bytes that it brought along are named by nobody. */
export interface RepeatedEntry {
  status: "held" | "duplicate";
  /** Of the version that it repeats. */
  version: number;
  taken: null;
  /** What the read model should say of that version; null where it has said so, or another entry tells. */
  state: FileState | null;
}

/** What became of a ping; answers stand in the order of the entries. */
export type AcceptedEntry = TakenEntry | RepeatedEntry;

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
