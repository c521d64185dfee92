import { chunksOf } from "../../concurrency/chunksOf.ts";
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
  /** Queue of its first send. A postponed dispatch is sent to RETRY, but still counts in this queue's window. */
  queue: QueueName;
  /** [file_id, version] of each file that is not settled yet. */
  files: [string, number][];
  state: DispatchState;
  /** unsent: when to send; sent: when to send again; claimed: when the claim expires. */
  due_at: number;
  /** When its message was sent, in Unix milliseconds. Null unless its lease was prolonged. */
  sent_at: number | null;
  /** Importer that claimed it last. Null before the first claim. */
  claim: Claimant | null;
  /** Claims so far, including those of the dispatch that this one was split from. */
  claims: number;
  /** Claims that expired without a report. */
  expired_claims: number;
  /** Whether its file must be imported with no other file in memory. */
  exclusive: boolean;
  /** Whether its files were postponed, because their host had no free slot or D1 failed. */
  postponed: boolean;
  /** Whether it was made to download held files before their task. Files that are released meanwhile stay in it. */
  prefetch: boolean;
}

/** Returns the queue to send a dispatch to. Downloads of held files stay behind the work of the RETRY queue. */
export function queueOf({ queue, postponed, prefetch }: Dispatch): QueueName {
  return postponed && !prefetch ? "RETRY" : queue;
}

/** Time that a request has to send its own dispatches. After it the alarm sends those that are still unsent. */
export const SEND_GRACE_MS = 5_000;

/** Files in one bulk message. One message per file would cost three times as much. */
export const FILES_PER_BULK_DISPATCH = 25;

/** Maximum number of open bulk dispatches of one collector, so that a large history leaves room for other users. */
export const BULK_WINDOW = 8;

/** Maximum number of open dispatches of one collector that download held files. */
export const PREFETCH_WINDOW = 2;

/**
 * Number of expired claims after which a file gets one attempt with no other file in memory. A single expired claim
 * proves nothing, because another file may have crashed the importer.
 */
const EXPIRED_CLAIMS_LIMIT = 2;

/** Source of ids and random numbers for pure decisions. */
export interface Randomness {
  /** Returns a new dispatch id. */
  readonly newId: () => string;
  /** Returns a number from 0 (inclusive) to 1 (exclusive), as Math.random does. */
  readonly random: () => number;
}

/** Returns a dispatch of one file. The alarm sends it at `dueAt` unless it was sent earlier. */
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
    prefetch: false,
  };
}

/** Returns the dispatches of held files that are downloaded before their task. */
export function prefetchDispatches(
  { newId }: Pick<Randomness, "newId">,
  files: readonly { file_id: string; version: number }[],
  dueAt: number,
): Dispatch[] {
  return inBatches(newId, "BULK", files, dueAt).map((dispatch) => ({ ...dispatch, prefetch: true }));
}

/**
 * Returns the dispatches of files whose download before the task did not succeed, or that were released during it. A
 * released file does not wait behind held ones. Files of an exclusive dispatch stay exclusive.
 */
export function nextPrefetches(
  { newId }: Pick<Randomness, "newId">,
  { exclusive }: Pick<Dispatch, "exclusive">,
  files: readonly { file_id: string; version: number; isHeld: boolean; dueAt: number }[],
): Dispatch[] {
  const groups = Map.groupBy(files, ({ isHeld, dueAt }) => `${isHeld} ${dueAt}`);
  return [...groups.values()].flatMap((group) => {
    const [{ isHeld, dueAt } = { isHeld: false, dueAt: 0 }] = group;
    return prefetchDispatches({ newId }, group, dueAt).map((dispatch): Dispatch => ({
      ...dispatch,
      queue: isHeld ? "BULK" : "RETRY",
      exclusive,
    }));
  });
}

/** Files that wait for D1 longer than this are dispatched alone, because D1 may reject only one of them. */
const ALONE_AFTER_MS = 10 * 60_000;

/** A file that its importer postponed. */
export interface PostponedFile {
  file_id: string;
  version: number;
  origin: FaultOrigin;
  /** When it was first postponed, and when it is dispatched again. Unix milliseconds. */
  since: number;
  until: number;
}

/**
 * Returns the dispatches of postponed files. Files share a dispatch, so that waiting costs one message. They still
 * count in the bulk window. A claim that sent no request to a host is not counted.
 */
export function postponedDispatches(
  { newId }: Pick<Randomness, "newId">,
  dispatch: Dispatch,
  files: readonly PostponedFile[],
  nowMs: number,
): Dispatch[] {
  const dispatchOf = (group: readonly PostponedFile[], claims: number): Dispatch => ({
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
    prefetch: dispatch.prefetch,
  });
  const host = files.filter(({ origin }) => origin === "host");
  const store = files.filter(({ origin }) => origin === "own_store");
  const alone = store.filter(({ since }) => nowMs - since > ALONE_AFTER_MS);
  const together = store.filter((file) => !alone.includes(file));
  return [
    ...(host.length === 0 ? [] : [dispatchOf(host, dispatch.claims - 1)]),
    ...(together.length === 0 ? [] : [dispatchOf(together, dispatch.claims)]),
    ...alone.map((file) => dispatchOf([file], dispatch.claims)),
  ];
}

/** Returns the dispatch with its claim renewed for a full period. */
export function renewClaim(dispatch: Dispatch, clock: CollectorClock, nowMs: number): Dispatch {
  return { ...dispatch, state: "claimed", sent_at: null, due_at: nowMs + clock.claimMs };
}

/**
 * Returns the next dispatches of an import's files, at most `room`, and the import's new `drained_to`. Skips files that
 * `isDispatched` finds in another dispatch.
 */
export function bulkDispatches(
  { newId }: Pick<Randomness, "newId">,
  room: number,
  nowMs: number,
  filesToDrain: (limit: number) => { file_id: string; version: number }[],
  isDispatched: (fileId: string, version: number) => boolean = () => false,
): { dispatches: Dispatch[]; drained_to: string | null } {
  const limit = room * FILES_PER_BULK_DISPATCH;
  const files = filesToDrain(limit);
  const last = files.at(-1)?.file_id ?? null;
  return {
    dispatches: inBatches(
      newId,
      "BULK",
      files.filter(({ file_id, version }) => !isDispatched(file_id, version)),
      nowMs,
    ),
    drained_to: files.length < limit ? null : last,
  };
}

/** Number of live rides of one request that get a message each. A user rarely has more. */
export const LIVE_RIDES_ALONE = 5;

/** Returns the dispatches of one request's live rides. Beyond `LIVE_RIDES_ALONE`, rides share messages. */
export function liveDispatches(
  { newId }: Pick<Randomness, "newId">,
  files: readonly { file_id: string; version: number }[],
  dueAt: number,
): Dispatch[] {
  const alone = files.slice(0, LIVE_RIDES_ALONE);
  return [
    ...alone.map(({ file_id, version }) => dispatchOne(newId(), "PRIORITY", file_id, version, dueAt)),
    ...inBatches(newId, "PRIORITY", files.slice(LIVE_RIDES_ALONE), dueAt),
  ];
}

/** Returns the dispatches of failed files that a partner or operator retries. */
export function retryDispatches(
  { newId }: Pick<Randomness, "newId">,
  files: readonly { file_id: string; version: number }[],
  dueAt: number,
): Dispatch[] {
  return inBatches(newId, "RETRY", files, dueAt);
}

function inBatches(
  newId: () => string,
  queue: QueueName,
  files: readonly { file_id: string; version: number }[],
  dueAt: number,
): Dispatch[] {
  return chunksOf(files, FILES_PER_BULK_DISPATCH).map((batch) => {
    const names = batch.map((file): [string, number] => [file.file_id, file.version]);
    return newDispatch(newId(), queue, names, dueAt);
  });
}

/**
 * Returns new dispatches of the files of an expired claim, one for each file. From the second expiry on they are
 * exclusive and wait for a random delay. `exhausted`: files of an expired exclusive claim, which probably crash every
 * importer.
 */
export function splitExpired(
  dispatch: Dispatch,
  { exclusiveDelayMs: { least, most } }: Pick<CollectorClock, "exclusiveDelayMs">,
  randomness: Randomness,
  nowMs: number,
): { retries: Dispatch[]; exhausted: [string, number][] } {
  if (dispatch.exclusive) return { retries: [], exhausted: dispatch.files };
  const expired_claims = dispatch.expired_claims + 1;
  const exclusive = expired_claims >= EXPIRED_CLAIMS_LIMIT;
  const retries = dispatch.files.map(([fileId, version]) => {
    const dueAt = exclusive ? nowMs + Math.floor(least + randomness.random() * (most - least)) : nowMs;
    return {
      ...dispatchOne(
        randomness.newId(),
        dispatch.prefetch ? dispatch.queue : "RETRY",
        fileId,
        version,
        dueAt,
      ),
      claims: dispatch.claims,
      expired_claims,
      exclusive,
      prefetch: dispatch.prefetch,
    };
  });
  return { retries, exhausted: [] };
}

/** Returns whether the holder's invocation has ended, because the queue has delivered the same message again since. */
export function hasEnded(holder: Claimant, claimant: Claimant): boolean {
  return holder.message_id === claimant.message_id && holder.attempt < claimant.attempt;
}
