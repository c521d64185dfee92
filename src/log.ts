/**
 * One JSON line of the log. Each unit of work writes exactly one line when it ends. A setback within it writes one more.
 * Fields are ids, outcomes, counts and durations in milliseconds: never a key, a URL's path or query, a body, a user
 * id, a position or a name. The runbook queries units, outcomes and fields by these names.
 */
export type LogLine =
  | RequestLine
  | DispatchLine
  | DeliveryLine
  | AlarmLine
  | OutcomesLine
  | ScheduledLine
  | JobLine
  | DeadLetterLine
  | SetbackLine;

/** An HTTP request. */
export interface RequestLine extends RequestFields {
  unit: "request";
  /** The `X-Request-Id` header of the response. */
  request_id: string;
  method: string;
  /** The route's pattern, such as `/api/users/:user_id/`. Null when no route matches. */
  route: string | null;
  status: number;
  milliseconds: number;
  /** The partner, proven by a valid key. Null without a valid key. */
  partner_id: string | null;
}

/** Fields that the handling of a request adds to its line. */
export interface RequestFields {
  /** Id of the key. Absent without a valid key. */
  key_id?: string;
  /** The existing partner that a request without a valid key named. Any caller can name one. */
  claimed_partner_id?: string;
  /** What the partner changed itself: its keys, its endpoints or its settings. Absent if nothing was changed. */
  change?: SelfServiceChange;
  /** The key or endpoint that was changed. */
  changed_id?: string;
  /** The import that a task started. For a repeated task, the existing import. */
  import_id?: string;
  /** Number of files of a task, of pings, or of the retry of an import. */
  files?: number;
  /** Number of activities in an inspected file. */
  activities?: number;
  /** Why the response of an idempotent request was not stored. The request itself succeeded. */
  not_kept?: FaultName;
  /**
   * What failed. `user_erased`: the user was erased during the task, and the partner must send the task again.
   * `BodyIncomplete:late`: the caller sent its body too slowly. `BodyIncomplete:aborted`: the caller disconnected.
   */
  fault?: FaultName;
}

export type SelfServiceChange =
  | "key_created"
  | "key_deleted"
  | "settings_changed"
  | "endpoint_created"
  | "endpoint_changed"
  | "endpoint_deleted"
  | "endpoint_recovered"
  | "endpoint_secret_rotated";

/** One delivery of a queue message that names files to import. */
export type DispatchLine = {
  unit: "dispatch";
  queue: string;
  partner_id: string;
  collector: string;
  dispatch_id: string;
  /** Number of this delivery of the message, from 1. */
  attempt: number;
  milliseconds: number;
} & (DispatchResult | { /** The queue redelivers the message. */ outcome: "fault"; fault: FaultName });

export interface DispatchResult {
  /**
   * `nothing_to_claim`: the files are settled, or another importer holds the claim. `suspended`: the partner is
   * suspended, and the files that are not counted below wait.
   */
  outcome: "done" | "nothing_to_claim" | "suspended";
  /** Number of files of the dispatch. */
  files: number;
  imported: number;
  /** Held files whose bytes are stored now. */
  stored: number;
  /** Files that failed and are not retried. */
  failed: number;
  /** Files that failed and are retried later: at their host, except `own_faults` of them. */
  try_again: number;
  /** Files of `try_again` that failed because a store or the memory of this service failed, not their host. */
  own_faults: number;
  /** Files that are dispatched again without an attempt: no slot at their host is free, or D1 failed. */
  postponed: number;
}

/** An attempt to deliver an event or a plan request. */
export type DeliveryLine = {
  unit: "delivery";
  partner_id: string;
  delivery_id: string;
  /** Number of attempts, including this one. Null for `postponed` and `fault`. */
  attempt: number | null;
  /** Host of the receiver, with its port. Null when nothing could be sent, for example without an event URL. */
  host: string | null;
  /** Status of the receiver's response. Null without a response. */
  status: number | null;
  milliseconds: number;
  /** Why no request was sent or no response arrived. Null with a response. */
  reason: string | null;
  /** Time until the next attempt. Null when no attempt follows. */
  next_in_milliseconds: number | null;
} & (
  | {
      /** Type of the event or of the plan request. */
      type: string;
      /**
       * `pending`: is retried. `held`: the endpoint is on hold. `failed`: is not retried. `recorded`: no planner is configured, so no request is sent.
       * `claim_expired`: the result came too late to be stored, and another attempt follows.
       */
      outcome: "delivered" | "pending" | "held" | "failed" | "recorded" | "claim_expired";
    }
  | {
      /** No slot at the receiver is free. The delivery is postponed without an attempt. */ outcome: "postponed";
      type: null;
    }
  | { /** A store failed. Unknown fields are null. */ outcome: "fault"; type: null; fault: FaultName }
);

/** A collector's alarm. */
export interface AlarmLine {
  unit: "alarm";
  /** Null for a collector that was never pinged, or whose storage this code cannot read. */
  collector: string | null;
  /** `fault`: the platform runs the alarm again. */
  outcome: "done" | "fault";
  fault?: FaultName | undefined;
  next_in_milliseconds: number | null;
  milliseconds: number;
}

/** A report of a partner's outcomes to its endpoints. */
export interface OutcomesLine {
  unit: "outcomes";
  partner_id: string;
  /** `fault`: the report is repeated 10 s later. */
  outcome: "done" | "fault";
  fault?: FaultName | undefined;
  /** Number of events that were stored. */
  events: number;
  milliseconds: number;
}

/** A run of the clock: every minute when deployed, every 10 s locally. */
export interface ScheduledLine extends SweepCounts {
  unit: "scheduled";
  outcome: "done" | "fault";
  /** Size of the largest database, and its share of the 10 GB that it may have. Absent after a fault. */
  database_bytes?: number;
  database_share?: number;
  /** The sweeps that failed, each as `deliveries:D1:Error`, separated by spaces. */
  fault?: string | undefined;
  milliseconds: number;
}

/** Number of items that each sweep found. Absent for a sweep that failed or was not due. */
export interface SweepCounts {
  deliveries?: number;
  /** Events that were sent again for an endpoint's recovery, and events that failed because they were held too long. */
  recovered_events?: number;
  /** Partners whose changed settings waited for a publisher. */
  partner_settings?: number;
  /** Partners whose outcomes waited although no call had announced them. */
  unreported_outcomes?: number;
  erasures?: number;
  expired_erasures?: number;
  expired_deletions?: number;
  /** Databases with jobs of `redecode` or `project-again` that were sent to the queue. */
  operator_jobs?: number;
  /** Actions of `npm run doctor`. */
  operator_actions?: number;
  discarded_objects?: number;
  idempotent_requests?: number;
  /** Test events, reported outcomes and receipts that were deleted. */
  expired_events?: number;
  finished_jobs?: number;
  /** Collectors that had lost their alarm, among those that the run woke. */
  lost_alarms?: number;
  /** Deleted batches of files that were out of date. */
  stale_batches?: number;
  /** Deleted slices of old lists of missing files. */
  missing_files?: number;
  /** Partners whose usage was published. */
  usage?: number;
  /** Deleted days of usage that are older than 400 days. */
  usage_days?: number;
  inline_bytes?: number;
}

/** A run of an operator's job. */
export interface JobLine {
  unit: "job";
  /** Null when the database failed before a job was found. */
  job_id: string | null;
  /** `continued`: another run follows. After a `fault` of a store the run is repeated. */
  outcome: "done" | "continued" | "fault";
  fault?: FaultName | undefined;
  /** Files that the run has examined. */
  files: number;
  milliseconds: number;
}

/** A message that its queue no longer delivers. Leases and sweeps repeat its work. */
export type DeadLetterLine = { unit: "dead_letter"; queue: string } & (
  | { outcome: "done"; partner_id: string; collector: string; dispatch_id: string }
  | { outcome: "done"; message_id: string; partner_id: string; delivery_id: string }
  | { outcome: "unreadable_message"; message_id: string }
);

/** A fault within a unit of work. The unit writes its own line as well. */
export type SetbackLine = { unit: "setback" } & (HealingSetback | LastingSetback);

/** Faults that the service repairs without an operator. */
type HealingSetback =
  /** D1 failed. The collector's alarm writes the import later. */
  | { outcome: "projected_later"; partner_id: string; import_id: string; fault: FaultName }
  /** D1 or a collector failed or was too slow when a task without held files looked at the user's other sources. */
  | { outcome: "other_sources_unknown"; partner_id: string; fault: FaultName }
  /** D1 failed while a report was read. Its last line says so. */
  | { outcome: "report_ended"; partner_id: string; import_id: string; fault: FaultName }
  /** D1 failed or was too slow at the first ping of a user's source. The collector's alarm records the source later. */
  | { outcome: "introduced_later"; collector: string; fault: FaultName }
  /** D1 failed. The collector's alarm writes the partner's edit later. */
  | { outcome: "edited_later"; partner_id: string; file_id: string; fault: FaultName }
  /** The platform had stopped running a collector's alarm, and a call set it again. */
  | { outcome: "alarm_set_again"; collector: string | null; late_by_milliseconds: number }
  /** R2 failed. The collector's alarm deletes the objects of an erased user later. */
  | { outcome: "deleted_later"; collector: string | null; fault: FaultName }
  /** A queue failed. The collector's alarm sends its dispatches later. The clock sends a delivery later. */
  | { outcome: "sent_later"; collector: string; queue: string; messages: number; fault: FaultName }
  | { outcome: "sent_later"; partner_id: string; delivery_id: string; fault: FaultName }
  /** D1 failed when it stored the activities of files. The bytes are stored, and the files are dispatched again later. */
  | {
      outcome: "imported_later";
      partner_id: string;
      dispatch_id: string;
      files: number;
      fault: FaultName;
    }
  /**
   * A partner's host does not respond. The service now sends it only probes, and the partner's files or events for it
   * wait until a probe gets a response. `lane` is the queue of the requests.
   */
  | { outcome: "host_suspended"; partner_id: string; host: string; lane: string }
  /** The end of requests could not be reported to the partner's windows. Their slots expire after 40 s. */
  | { outcome: "slots_kept"; partner_id: string; host: string; lane: string; fault: FaultName }
  /** The partner's outcomes could not be announced. The clock announces them. */
  | { outcome: "reported_later"; partner_id: string; fault: FaultName }
  /** A page of an erasure failed. The clock continues the erasure. */
  | { outcome: "erased_later"; partner_id: string; user_hash: string; fault: FaultName }
  /**
   * An importer ended without a report. `expired_claims` includes this one. `failed` is the number of files that are
   * not retried.
   */
  | {
      outcome: "claim_expired";
      collector: string;
      dispatch_id: string;
      files: number;
      expired_claims: number;
      failed: number;
    }
  /** A dead letter could not be reported to its collector. The collector sends the dispatch again after its lease. */
  | {
      outcome: "abandon_failed";
      partner_id: string;
      collector: string;
      dispatch_id: string;
      fault: FaultName;
    }
  /** A queue message does not have the expected shape, and is acknowledged. */
  | { outcome: "unreadable_message"; queue: string; message_id: string };

/** Faults that need a partner or an operator. */
type LastingSetback =
  /** A collector did not respond to the sweep of inline bytes. Objects of it that no ping names stay in R2. */
  | { outcome: "inline_unchecked"; collector: string; objects: number; fault: FaultName }
  /** An object of the read model is missing in R2. The partner must ping the file again with `overwrite_mode`. */
  | { outcome: "original_missing"; partner_id: string; file_id: string }
  /** The bytes of an object do not contain the activity that was decoded from them. The same helps. */
  | { outcome: "original_damaged"; partner_id: string; file_id: string }
  /** A database lacks this migration. Requests of its partners get 503 until an operator applies it. */
  | { outcome: "schema_missing"; database: string; migration: string }
  /**
   * Newer code has changed a collector's tables in a way that this code (version `known`) cannot read. Its pings get
   * 503 until an operator deploys the newer code again.
   */
  | {
      outcome: "schema_refused";
      collector: string | null;
      version: number;
      readable_from: number;
      known: number;
    };

type FieldOf<Line> = Line extends unknown ? keyof Line : never;
/** Forbids fields that no line of the same unit has. TypeScript accepts such fields in a spread object. */
type NoOtherFields<Line extends LogLine> = Record<
  Exclude<keyof Line, FieldOf<Extract<LogLine, { unit: Line["unit"] }>>>,
  never
>;

/** Writes a line with its fields in the given order. */
export function logLine<Line extends LogLine>(line: Line & NoOtherFields<Line>): void {
  console.log(JSON.stringify(line));
}

/** Beginnings of the error messages of each store. The rest of a message may quote SQL, a key or a name. */
const STORES: readonly (readonly [store: string, start: RegExp])[] = [
  ["D1", /^D1_[A-Z]*ERROR: /],
  ["R2", /^(?:head|get|put|delete|list): /],
  ["KV", /^KV [A-Z_]+ failed: /],
  ["queue", /^Queue (?:send(?:Batch)? failed: |is overloaded)/],
  ["collector", /^Durable Object (?:is|reset|storage|exceeded)\b/],
];

/** Kinds of a store's faults, by words of its message. The first match names the fault. */
const KINDS: readonly (readonly [kind: string, words: RegExp])[] = [
  ["full", /SQLITE_FULL|disk is full|exceeded maximum (?:DB|database) size/i],
  ["no_schema", /no such (?:table|column)\b|has no column named\b/],
  ["locked", /SQLITE_BUSY|SQLITE_LOCKED|is locked\b/],
  ["overloaded", /overloaded|queued for too long|too many requests/i],
  ["restarted", /Network connection lost|code was updated|storage (?:operation|caused object to be reset)/i],
];

/**
 * Kind of a fault, such as `D1:overloaded` or `R2:Error:10043`. The store (D1, R2, KV, queue, collector) is in front if it
 * is known. After it comes what is wrong (full, no_schema, locked, overloaded, restarted), or the name and the code.
 */
export type FaultName = string;

/**
 * Returns the kind of a fault. The beginning of the message identifies the store. The rest of the message may quote a
 * URL or SQL, so it is not logged.
 */
export function faultName(fault: unknown): FaultName {
  if (!(fault instanceof Error)) return typeof fault;
  const code =
    "code" in fault && (typeof fault.code === "string" || typeof fault.code === "number")
      ? `:${fault.code}`
      : "";
  const store = STORES.find(([, start]) => start.test(fault.message));
  if (store === undefined) return fault.name + code;
  const kind = KINDS.find(([, words]) => words.test(fault.message));
  return `${store[0]}:${kind === undefined ? fault.name + code : kind[0]}`;
}
