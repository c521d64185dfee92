/**
 * One JSON line of the log. Each unit of work writes exactly one when it ends; a setback within it writes one more.
 * Fields are ids, outcomes, counts and durations in milliseconds: never a key, a URL's path or query, a body, a user
 * id, a position or a name. The runbook queries units, outcomes and fields by these names.
 */
export type LogLine =
  RequestLine | DispatchLine | DeliveryLine | AlarmLine | ScheduledLine | DeadLetterLine | SetbackLine;

/** An HTTP request. */
export interface RequestLine extends RequestFields {
  unit: "request";
  /** The `X-Request-Id` of the answer. */
  request_id: string;
  method: string;
  /** The pattern, as `/api/users/:user_id/`. Null when no route matches. */
  route: string | null;
  status: number;
  milliseconds: number;
  /** The partner that a live key has proven. Null without such a key. */
  partner_id: string | null;
}

/** Fields that the handling of a request adds to its line. */
export interface RequestFields {
  /** The key that was used, by its id. Absent without a live key. */
  key_id?: string;
  /** An existing partner that a request without a live key named. Anybody can name it. */
  claimed_partner_id?: string;
  /** The import that a task started or repeated. */
  import_id?: string;
  /** Files of a task, of pings, or of an import's retry. */
  files?: number;
  /** Activities in an inspected file. */
  activities?: number;
  /** Why an idempotent answer could not be stored. The request itself succeeded. */
  not_kept?: FaultName;
  /**
   * What failed. `user_erased`: the task's user was erased meanwhile, and the partner has to repeat the task.
   * `BodyIncomplete:late`, `BodyIncomplete:aborted`: the caller was too slow, or disconnected. No store failed.
   */
  fault?: FaultName;
}

/** One delivery of a queue message that names files to import. */
export type DispatchLine = {
  unit: "dispatch";
  queue: string;
  partner_id: string;
  collector: string;
  dispatch_id: string;
  /** Delivery of the message, from 1. */
  attempt: number;
  milliseconds: number;
} & (DispatchResult | { /** The queue delivers the message again. */ outcome: "fault"; fault: FaultName });

export interface DispatchResult {
  /**
   * `nothing_to_claim`: the files are settled, or another importer holds the claim. `suspended`: the partner is, and the
   * files that are not counted below wait.
   */
  outcome: "done" | "nothing_to_claim" | "suspended";
  files: number;
  imported: number;
  /** Files that failed for good. */
  failed: number;
  /** Files that are retried later. */
  try_again: number;
  /** Files that are dispatched again without an attempt: their host has no room, or D1 did not take them. */
  postponed: number;
}

/** An attempt to deliver an event or a plan request. */
export type DeliveryLine = {
  unit: "delivery";
  partner_id: string;
  delivery_id: string;
  /** Attempts so far, with this one. */
  attempt: number | null;
  /** The receiver's host, with its port. Null when no request was sent. */
  host: string | null;
  /** Status of the receiver's answer. Null without an answer. */
  status: number | null;
  milliseconds: number;
  /** Why no answer came. Null with an answer. */
  reason: string | null;
  /** Time until the next attempt. Null when none follows. */
  next_in_milliseconds: number | null;
} & (
  | {
      /** The event's type, or the plan request's. */
      type: string;
      /**
       * `pending`: retried. `failed`: not retried. `recorded`: no planner is configured. `claim_expired`: the result
       * came too late to be recorded, and another attempt follows.
       */
      outcome: "delivered" | "pending" | "failed" | "recorded" | "claim_expired";
    }
  | { /** Its receiver has no room: it is put off without an attempt. */ outcome: "postponed"; type: null }
  | { /** A store failed. What is not known then is null. */ outcome: "fault"; type: null; fault: FaultName }
);

/** A collector's alarm. */
export interface AlarmLine {
  unit: "alarm";
  /** Null for a collector that was never pinged, or whose storage this code cannot read. */
  collector: string | null;
  /** After a `fault` the alarm rings again by itself. */
  outcome: "done" | "fault";
  fault?: FaultName | undefined;
  next_in_milliseconds: number | null;
  milliseconds: number;
}

/** A run of the clock: each minute deployed, every 10 s locally. */
export interface ScheduledLine extends SweepCounts {
  unit: "scheduled";
  outcome: "done" | "fault";
  /** The sweeps that failed, each as `deliveries:D1:Error`, separated by spaces. */
  fault?: string | undefined;
  milliseconds: number;
}

/** How much each sweep found. Absent for a sweep that failed or was not due. */
export interface SweepCounts {
  deliveries?: number;
  erasures?: number;
  expired_erasures?: number;
  operator_jobs?: number;
  discarded_objects?: number;
  idempotent_requests?: number;
  test_events?: number;
  finished_jobs?: number;
  /** Collectors whose alarm the platform had given up, of those that the run has looked at. */
  lost_alarms?: number;
  /** Batches of files that were out of date. */
  stale_batches?: number;
  /** Old lists of files that never came, in slices. */
  missing_files?: number;
  /** Partners whose usage was published. */
  usage?: number;
  /** Runs in the fifth and the thirty-fifth minute of an hour only. */
  inline_bytes?: number;
}

/** A message that its queue has given up. Leases and sweeps bring its work back. */
export type DeadLetterLine = { unit: "dead_letter"; queue: string } & (
  | { outcome: "done"; partner_id: string; collector: string; dispatch_id: string }
  | { outcome: "done"; message_id: string; partner_id: string; delivery_id: string }
  | { outcome: "unreadable_message"; message_id: string }
);

/** A fault within a unit of work, whose own line still comes. */
export type SetbackLine = { unit: "setback" } & (HealingSetback | LastingSetback);

/** Heals without an operator. */
type HealingSetback =
  /** D1 failed. The collector's alarm writes the import later. */
  | { outcome: "projected_later"; partner_id: string; import_id: string; fault: FaultName }
  /** D1 failed, or took too long, at the first ping of a user's source. The collector's alarm lists the source later. */
  | { outcome: "introduced_later"; collector: string; fault: FaultName }
  /** The platform gave up a collector's alarm, and a call set it again. Its work is late by so much. */
  | { outcome: "alarm_set_again"; collector: string | null; late_by_milliseconds: number }
  /** R2 failed. The collector's alarm deletes the objects of an erased user later. */
  | { outcome: "deleted_later"; collector: string | null; fault: FaultName }
  /** A queue failed. The collector's alarm sends its dispatches later, the sweep a delivery. */
  | { outcome: "sent_later"; collector: string; queue: string; messages: number; fault: FaultName }
  | { outcome: "sent_later"; partner_id: string; delivery_id: string; fault: FaultName }
  /** D1 failed while files were made readable. They are stored, and dispatched again after a pause. */
  | {
      outcome: "imported_later";
      partner_id: string;
      dispatch_id: string;
      files: number;
      fault: FaultName;
    }
  /**
   * A partner's host does not answer. Only probes reach it from now on, and the partner's files or events for it wait.
   * An answer to a probe ends that. `lane` is the queue whose work was not answered.
   */
  | { outcome: "host_suspended"; partner_id: string; host: string; lane: string }
  /** A partner's windows could not be told of the end of requests. Their slots end by themselves after 40 s. */
  | { outcome: "slots_kept"; partner_id: string; host: string; lane: string; fault: FaultName }
  /** A page of an erasure failed. The clock continues the erasure. */
  | { outcome: "erased_later"; partner_id: string; user_hash: string; fault: FaultName }
  /**
   * An importer ended without a report. `expired_claims` counts this one; `failed` are the files that are not tried
   * again.
   */
  | {
      outcome: "claim_expired";
      collector: string;
      dispatch_id: string;
      files: number;
      expired_claims: number;
      failed: number;
    }
  /** A collector could not be told that the queue gave up its message. Its lease sends the work again. */
  | {
      outcome: "abandon_failed";
      partner_id: string;
      collector: string;
      dispatch_id: string;
      fault: FaultName;
    }
  /** A queue message does not have the expected shape, and is acknowledged. */
  | { outcome: "unreadable_message"; queue: string; message_id: string };

/** Needs a partner or an operator. */
type LastingSetback =
  /** R2 lacks an object that the read model names. The partner pings the file again with `overwrite_mode`. */
  | { outcome: "original_missing"; partner_id: string; file_id: string }
  /**
   * Newer code has changed a collector's tables in a way that this code (version `known`) cannot read. Its pings get
   * 503 until the newer code is deployed again.
   */
  | {
      outcome: "schema_refused";
      collector: string | null;
      version: number;
      readable_from: number;
      known: number;
    };

type FieldOf<Line> = Line extends unknown ? keyof Line : never;
/** Forbids fields that no line of the same unit has. Plain types accept them in a spread object. */
type NoOtherFields<Line extends LogLine> = Record<
  Exclude<keyof Line, FieldOf<Extract<LogLine, { unit: Line["unit"] }>>>,
  never
>;

/** Writes a line. Its fields keep their order. */
export function logLine<Line extends LogLine>(line: Line & NoOtherFields<Line>): void {
  console.log(JSON.stringify(line));
}

/** How the platform begins what its stores throw; what follows may quote SQL, a key or a name. */
const STORES: readonly (readonly [store: string, beginning: RegExp])[] = [
  ["D1", /^D1_[A-Z]*ERROR: /],
  ["R2", /^(?:head|get|put|delete|list): /],
  ["KV", /^KV [A-Z_]+ failed: /],
  ["queue", /^Queue (?:send(?:Batch)? failed: |is overloaded)/],
  ["collector", /^Durable Object (?:is|reset|storage|exceeded)\b/],
];

/** The kind of a fault, as `D1:Error`: the store (D1, R2, KV, queue, collector) where it is known, name and code. */
export type FaultName = string;

/**
 * Returns the kind of a fault. The store is known where the message begins as that store's do. The message itself may
 * quote a URL or SQL, so nothing else of it is kept.
 */
export function faultName(fault: unknown): FaultName {
  if (!(fault instanceof Error)) return typeof fault;
  const code =
    "code" in fault && (typeof fault.code === "string" || typeof fault.code === "number")
      ? `:${fault.code}`
      : "";
  const store = STORES.find(([, beginning]) => beginning.test(fault.message));
  return (store === undefined ? "" : `${store[0]}:`) + fault.name + code;
}
