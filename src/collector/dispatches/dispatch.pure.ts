import type { Claimant } from "../calls.ts";
import type { CollectorClock } from "../clock.pure.ts";
import type { FaultOrigin } from "./retrySchedule.pure.ts";

export const QUEUES = ["PRIORITY", "BULK", "RETRY"] as const;
export type QueueName = (typeof QUEUES)[number];

export const DISPATCH_STATES = ["unsent", "sent", "claimed"] as const;
export type DispatchState = (typeof DISPATCH_STATES)[number];

/** One unit of work for an importer, sent as one queue message. */
export interface Dispatch {
  dispatch_id: string;
  /** The queue that it was made for. Once postponed it is sent to RETRY, and counts here still. */
  queue: QueueName;
  /** [file_id, version] of each file still to settle. */
  files: [string, number][];
  state: DispatchState;
  /** unsent: when to send; sent: when to send again; claimed: when the claim expires. */
  due_at: number;
  /** When its message was sent, once its lease was prolonged; null before. */
  sent_at: number | null;
  /** The importer that claimed it last. */
  claim: Claimant | null;
  /** Claims so far, including those of the dispatch that this one was split from. */
  claims: number;
  /** Claims that expired without a report. */
  expired_claims: number;
  /** Whether its file is imported with no other file in memory. */
  exclusive: boolean;
  /** Whether its files wait for room at their host, or for D1. */
  postponed: boolean;
}

/** The queue to send a dispatch to. */
export function queueOf({ queue, postponed }: Dispatch): QueueName {
  return postponed ? "RETRY" : queue;
}

/** A request sends its own dispatches; the alarm sends those that are still unsent after this. */
export const SEND_GRACE_MS = 5_000;

/** Files in one bulk message: one message per file costs three times as much. */
export const FILES_PER_BULK_DISPATCH = 25;

/** Bulk dispatches of one collector in flight at once: a large history leaves room for others. */
export const BULK_WINDOW = 8;

/**
 * After this many expired claims a file gets one attempt with no other file in memory. Fewer prove nothing: another
 * file may have ended the importer.
 */
const EXPIRED_CLAIMS_LIMIT = 2;

/** Where decisions get ids and chance from. */
export interface Chance {
  /** Returns a fresh dispatch id. */
  readonly newId: () => string;
  /** Returns a number from 0 up to 1, as Math.random does. */
  readonly random: () => number;
}

/** A dispatch of one file, due at `dueAt` unless it has been sent by then. */
export function dispatchOne(
  id: string,
  queue: QueueName,
  fileId: string,
  version: number,
  dueAt: number,
): Dispatch {
  return newDispatch(id, queue, [[fileId, version]], dueAt);
}

function newDispatch(id: string, queue: QueueName, files: [string, number][], dueAt: number): Dispatch {
  return {
    dispatch_id: id,
    queue,
    files,
    state: "unsent",
    due_at: dueAt,
    sent_at: null,
    claim: null,
    claims: 0,
    expired_claims: 0,
    exclusive: false,
    postponed: false,
  };
}

/** Files that wait for D1 longer than this go on alone: one of them may be what D1 refuses. */
const TOGETHER_FOR_MS = 10 * 60_000;

/** A file that is postponed by its dispatch's importer. */
export interface PostponedFile {
  file_id: string;
  version: number;
  origin: FaultOrigin;
  /** Since when it has been postponed, and until when it is now. */
  since: number;
  until: number;
}

/**
 * The dispatches of postponed files: together, so that waiting costs a message for all of them. They stay part of
 * their import's window. A claim that asked no host for a file does not count.
 */
export function postponedDispatches(
  { newId }: Pick<Chance, "newId">,
  dispatch: Dispatch,
  files: readonly PostponedFile[],
  nowMs: number,
): Dispatch[] {
  const of = (group: readonly PostponedFile[], claims: number): Dispatch => ({
    ...newDispatch(
      newId(),
      dispatch.queue,
      group.map(({ file_id, version }) => [file_id, version]),
      Math.min(...group.map(({ until }) => until)),
    ),
    claims,
    expired_claims: dispatch.expired_claims,
    exclusive: dispatch.exclusive,
    postponed: true,
  });
  const host = files.filter(({ origin }) => origin === "host");
  const store = files.filter(({ origin }) => origin === "own_store");
  const alone = store.filter(({ since }) => nowMs - since > TOGETHER_FOR_MS);
  const together = store.filter((file) => !alone.includes(file));
  return [
    ...(host.length === 0 ? [] : [of(host, dispatch.claims - 1)]),
    ...(together.length === 0 ? [] : [of(together, dispatch.claims)]),
    ...alone.map((file) => of([file], dispatch.claims)),
  ];
}

/** The claim lasts for another full period. */
export function renewClaim(dispatch: Dispatch, clock: CollectorClock, nowMs: number): Dispatch {
  return { ...dispatch, state: "claimed", sent_at: null, due_at: nowMs + clock.claimMs };
}

/** The next dispatches of an import's files, at most `room` of them, and the import's new `drained_to`. */
export function bulkDispatches(
  { newId }: Pick<Chance, "newId">,
  room: number,
  nowMs: number,
  filesToDrain: (limit: number) => { file_id: string; version: number }[],
): { dispatches: Dispatch[]; drained_to: string | null } {
  const limit = room * FILES_PER_BULK_DISPATCH;
  const files = filesToDrain(limit);
  const last = files.at(-1)?.file_id ?? null;
  return { dispatches: packed(newId, "BULK", files, nowMs), drained_to: files.length < limit ? null : last };
}

/** Live rides of one request that get a message each; a user rarely has more. */
export const LIVE_RIDES_ALONE = 5;

/** Dispatches of the live rides of one request. Of many, most share messages: a queue holds everybody's rides. */
export function liveDispatches(
  { newId }: Pick<Chance, "newId">,
  files: readonly { file_id: string; version: number }[],
  dueAt: number,
): Dispatch[] {
  const alone = files.slice(0, LIVE_RIDES_ALONE);
  return [
    ...alone.map(({ file_id, version }) => dispatchOne(newId(), "PRIORITY", file_id, version, dueAt)),
    ...packed(newId, "PRIORITY", files.slice(LIVE_RIDES_ALONE), dueAt),
  ];
}

/** Dispatches of failed files that are retried on request. */
export function retryDispatches(
  { newId }: Pick<Chance, "newId">,
  files: readonly { file_id: string; version: number }[],
  dueAt: number,
): Dispatch[] {
  return packed(newId, "RETRY", files, dueAt);
}

function packed(
  newId: () => string,
  queue: QueueName,
  files: readonly { file_id: string; version: number }[],
  dueAt: number,
): Dispatch[] {
  const dispatches: Dispatch[] = [];
  for (let start = 0; start < files.length; start += FILES_PER_BULK_DISPATCH) {
    const batch = files.slice(start, start + FILES_PER_BULK_DISPATCH);
    const names = batch.map((file): [string, number] => [file.file_id, file.version]);
    dispatches.push(newDispatch(newId(), queue, names, dueAt));
  }
  return dispatches;
}

/**
 * The dispatches of files whose claim expired. Each file goes on alone; from the second expiry on, alone in memory and
 * after a random delay. `lost` are files whose exclusive claim expired: they end their importer.
 */
export function splitExpired(
  dispatch: Dispatch,
  { exclusiveDelayMs: { least, most } }: Pick<CollectorClock, "exclusiveDelayMs">,
  chance: Chance,
  nowMs: number,
): { again: Dispatch[]; lost: [string, number][] } {
  if (dispatch.exclusive) return { again: [], lost: dispatch.files };
  const expired_claims = dispatch.expired_claims + 1;
  const exclusive = expired_claims >= EXPIRED_CLAIMS_LIMIT;
  const again = dispatch.files.map(([fileId, version]) => {
    const dueAt = exclusive ? nowMs + Math.floor(least + chance.random() * (most - least)) : nowMs;
    return {
      ...dispatchOne(chance.newId(), "RETRY", fileId, version, dueAt),
      claims: dispatch.claims,
      expired_claims,
      exclusive,
    };
  });
  return { again, lost: [] };
}

/** Whether the importer that holds the claim has ended: its queue has delivered the same message again since. */
export function hasEnded(holder: Claimant, claimant: Claimant): boolean {
  return holder.message_id === claimant.message_id && holder.attempt < claimant.attempt;
}
