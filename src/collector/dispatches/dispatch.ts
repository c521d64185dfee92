import { randomId } from "../../identifiers.ts";
import type { CollectorClock } from "../clock.ts";

export const QUEUES = ["PRIORITY", "BULK", "RETRY"] as const;
export type QueueName = (typeof QUEUES)[number];

export const DISPATCH_STATES = ["unsent", "sent", "claimed"] as const;
export type DispatchState = (typeof DISPATCH_STATES)[number];

/** One unit of work for an importer, sent as one queue message. */
export interface Dispatch {
  dispatch_id: string;
  queue: QueueName;
  /** [file_id, version] of each file still to settle. */
  files: [string, number][];
  state: DispatchState;
  /** unsent: when to send; sent: when to send again; claimed: when the claim expires. */
  due_at: number;
  claim: string | null;
  /** Claims so far, including those of the dispatch that this one was split from. */
  claims: number;
  /** Claims that expired without a report. */
  expired_claims: number;
}

/** A request sends its own dispatches; the alarm sends those that are still unsent after this. */
export const SEND_GRACE_MS = 5_000;

/** Files in one bulk message: one message per file costs three times as much. */
export const FILES_PER_BULK_DISPATCH = 25;

/** Bulk dispatches of one collector in flight at once: a large history leaves room for others. */
export const BULK_WINDOW = 8;

/** A file whose claims expire this often may kill every importer that works on it. */
const EXPIRED_CLAIMS_LIMIT = 3;

/** A dispatch of one file, due at `dueAt` unless it has been sent by then. */
export function dispatchOne(queue: QueueName, fileId: string, version: number, dueAt: number): Dispatch {
  return newDispatch(queue, [[fileId, version]], dueAt);
}

function newDispatch(queue: QueueName, files: [string, number][], dueAt: number): Dispatch {
  return {
    dispatch_id: randomId(),
    queue,
    files,
    state: "unsent",
    due_at: dueAt,
    claim: null,
    claims: 0,
    expired_claims: 0,
  };
}

/** The claim lasts for another full period. */
export function renewClaim(dispatch: Dispatch, clock: CollectorClock, nowMs: number): Dispatch {
  return { ...dispatch, state: "claimed", due_at: nowMs + clock.claimMs };
}

/** The next dispatches of an import's files, at most `room` of them, and the import's new `drained_to`. */
export function bulkDispatches(
  room: number,
  nowMs: number,
  filesToDrain: (limit: number) => { file_id: string; version: number }[],
): { dispatches: Dispatch[]; drained_to: string | null } {
  const limit = room * FILES_PER_BULK_DISPATCH;
  const files = filesToDrain(limit);
  const last = files.at(-1)?.file_id ?? null;
  return { dispatches: packed("BULK", files, nowMs), drained_to: files.length < limit ? null : last };
}

/** Dispatches of failed files that are retried on request. */
export function retryDispatches(
  files: readonly { file_id: string; version: number }[],
  dueAt: number,
): Dispatch[] {
  return packed("RETRY", files, dueAt);
}

function packed(
  queue: QueueName,
  files: readonly { file_id: string; version: number }[],
  dueAt: number,
): Dispatch[] {
  const dispatches: Dispatch[] = [];
  for (let start = 0; start < files.length; start += FILES_PER_BULK_DISPATCH) {
    const batch = files.slice(start, start + FILES_PER_BULK_DISPATCH);
    const names = batch.map((file): [string, number] => [file.file_id, file.version]);
    dispatches.push(newDispatch(queue, names, dueAt));
  }
  return dispatches;
}

/**
 * The files of a dispatch whose claim expired. Each goes on alone, so that a file that kills its importer does not
 * take others with it; one that did so too often is lost.
 */
export function splitExpired(
  dispatch: Dispatch,
  nowMs: number,
): { again: Dispatch[]; lost: [string, number][] } {
  const expired_claims = dispatch.expired_claims + 1;
  if (expired_claims >= EXPIRED_CLAIMS_LIMIT && dispatch.files.length === 1) {
    return { again: [], lost: dispatch.files };
  }
  const again = dispatch.files.map(([fileId, version]) => ({
    ...dispatchOne("RETRY", fileId, version, nowMs),
    claims: dispatch.claims,
    expired_claims,
  }));
  return { again, lost: [] };
}
