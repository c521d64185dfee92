import type { FileProjection } from "../files/write.ts";
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
