import type { Owner } from "../database/databases.ts";
import type { FileEdits } from "../files/edits.pure.ts";
import type { FileError, StoredObject } from "../files/file.ts";
import type { FileProjection, NamedObject, UnnamedObject } from "../files/write.ts";
import type { ImportCounts } from "../imports/counts.pure.ts";
import type { ImportStatus } from "../imports/import.ts";
import type { ImportProjection } from "../imports/write.ts";
import type { FaultOrigin } from "./dispatches/retrySchedule.pure.ts";
import type { Submission } from "./files/submission.pure.ts";

/**
 * Arguments and results of the collector's methods. During a deployment and after a roll-back, the caller may be another
 * release than the object. So change them by optional fields only, and read a missing field as its default.
 */

/** The one user and source of a collector. They make up its name. */
export interface CollectorAddress {
  partner_id: string;
  user_id: string;
  source: string;
}

/** The user and source of a collector, and the database of its read model. */
export interface CollectorNames extends CollectorAddress, Owner {}

export interface PingEntry {
  file_id: string;
  summary_id: string;
  submission: Submission;
}

export type PingStatus = "queued" | "held" | "duplicate" | "superseded";

/** Settings of the partner for a call that accepts pings. */
export interface AcceptSettings {
  /** Whether held files are downloaded before their task. */
  prefetch: boolean;
}

/** Results of accepted pings, in their order. Arrays of plain values, because a request can have thousands of pings. */
export interface AcceptedPings {
  statuses: PingStatus[];
  /** The version that each ping became; the newest version for a ping that changes nothing. */
  versions: number[];
  /** Indexes of the pings that change nothing. No version references their inline bytes. */
  repeats: number[];
}

export interface TaskEntry {
  import_id: string;
  event_id: string | null;
  is_initial_import: boolean;
  /** Ids of the files that the partner expects to have sent. Null when its task lists none. */
  expected: string[] | null;
  /** Starts no import without files, so that the caller can look at the user's other sources first. */
  unless_empty?: boolean;
  /** Other sources with held files, for an import without files. Null or absent when unknown. */
  held_under_other_source?: string[] | null;
}

export interface StartedImport {
  import: ImportProjection;
  repeated: boolean;
  /** Indexes in `expected` of the files that were never pinged. Null when `expected` is null. */
  missing: number[] | null;
  /** Whether the read model may not list this user and source yet. */
  first_contact: boolean;
  /** Whether `unless_empty` prevented the import. */
  not_started?: boolean;
}

/** Result of a cancellation. */
export interface CancelledImport {
  import: ImportProjection;
  /** Whether the import is cancelled, by this call or an earlier one. Else it had completed before. */
  is_cancelled: boolean;
}

/** Current counts of an import. Older code sends no status. */
export type ReadImport = ImportCounts & { status?: ImportStatus };

/** An inline object that the read model does not name. Callers that run older code do not send the revision. */
export type AskedObject = NamedObject & Partial<UnnamedObject>;

export interface WorkItem {
  file_id: string;
  summary_id: string;
  version: number;
  revision: number;
  attempts: number;
  import_id: string | null;
  submission: Submission;
  /** Whether bytes of this version may be stored already: the importer looks in R2 before it downloads. */
  look_first: boolean;
  /** Edits at the time of the claim. A collector that runs older code does not send them. */
  edits?: FileEdits | null;
  /** Whether the version is held: its bytes are stored and not decoded. Absent: no. */
  prefetch?: boolean;
}

/** An importer that claims a dispatch. */
export interface Claimant {
  /** Id chosen by the importer. A repeated call returns the same claim, because the first result may be lost. */
  claim: string;
  /** The queue message that it works on. */
  message_id: string;
  /** Number of this delivery of the message, from 1. A higher number proves that earlier deliveries have ended. */
  attempt: number;
  /** Whether it downloads held files. False when the partner does not want that; absent in older code. */
  prefetches?: boolean;
}

export interface Claim {
  claim: string;
  /** End of the claim in Unix milliseconds. A report before then renews it. */
  until: number;
  names: CollectorNames;
  /** Whether the file may crash its importer, and must be imported with no other file in memory. */
  exclusive: boolean;
  items: WorkItem[];
}

/** An importer's report on one file. */
export type Outcome =
  /** `revision` is the one that the importer wrote to the read model. */
  | { result: "imported"; file_id: string; version: number; revision: number }
  | { result: "failed"; file_id: string; version: number; fault: FileError; stored: StoredObject | null }
  /** The bytes of a version are stored that was held when it was claimed. */
  | { result: "stored"; file_id: string; version: number; stored: StoredObject }
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

/** No attempt is counted. The file is dispatched again on the RETRY queue. */
export interface PostponedOutcome {
  result: "postponed";
  file_id: string;
  version: number;
  /** `host`: the host had no free slot, so no request was sent. `own_store`: the bytes are stored, but D1 failed. */
  origin: FaultOrigin;
  /** Object of the bytes that are stored already. Null without any. */
  stored: StoredObject | null;
  /** Minimum time until the next dispatch, in milliseconds. */
  for_ms: number;
}

/** Files of a collector in the order of their ids. */
export interface CollectorPage {
  names: CollectorNames;
  files: PagedFile[];
  /** Imports that the collector stores. Only the first page has them. */
  imports: ImportProjection[];
  /** Last file id of the page. Null when no page follows. */
  next: string | null;
}

export interface PagedFile {
  newest: FileProjection;
  /** The imported version. Null while the version that was dispatched last is not imported. */
  imported: FileProjection | null;
}
