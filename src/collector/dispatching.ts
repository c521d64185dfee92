import { randomId } from "../identifiers.ts";
import type { Claimant } from "./calls.ts";
import type { Dispatch, QueueName } from "./storage.ts";

/** Files that one bulk message carries: one message a file costs three times as much. */
export const FILES_PER_BULK_DISPATCH = 25;

/**
 * After this many claims that expired, a file is tried once with no other file in memory. Fewer prove nothing: a
 * neighbour may have ended the isolate.
 */
const EXPIRED_CLAIMS_LIMIT = 2;

export interface Clock {
  /** How long an importer may work without reporting. */
  claimMs: number;
  /** When a message that nobody claimed is sent again. */
  leaseMs: number;
  /** How long progress of an import gathers before the read model is told. */
  projectionDelayMs: number;
  /** How long a file waits for its exclusive try: a random time between the two, so that such files do not meet. */
  exclusiveDelayMs: { least: number; most: number };
}

/** Local queues live in memory and forget on a restart, so there a message is missed much sooner. */
export function clockFor(environment: string): Clock {
  const isLocal = environment === "local";
  return {
    claimMs: 60_000,
    leaseMs: isLocal ? 20_000 : 900_000,
    projectionDelayMs: 1_000,
    exclusiveDelayMs: isLocal ? { least: 2_000, most: 10_000 } : { least: 120_000, most: 600_000 },
  };
}

/** One file on its own; it is sent at `dueAt`, unless it has been sent by then. */
export function singleDispatch(queue: QueueName, fileId: string, version: number, dueAt: number): Dispatch {
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
    unheard: 0,
    exclusive: false,
  };
}

export function renewClaim(dispatch: Dispatch, clock: Clock, nowMs: number): Dispatch {
  return { ...dispatch, state: "claimed", due_at: nowMs + clock.claimMs };
}

/** The next dispatches of an import's files, at most `room` of them, and how far that brings it. */
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

/** Failed files that somebody asked to try again. */
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
 * Returns what happens to the files of a claim that expired. Each is dispatched alone; after the second expiry alone
 * in memory as well, later. `poison` are files whose exclusive claim expired: they end their importer. `random`
 * returns numbers from 0 up to 1, as Math.random does.
 */
export function splitAfterSilence(
  dispatch: Dispatch,
  { exclusiveDelayMs: { least, most } }: Pick<Clock, "exclusiveDelayMs">,
  random: () => number,
  nowMs: number,
): { again: Dispatch[]; poison: [string, number][] } {
  if (dispatch.exclusive) return { again: [], poison: dispatch.files };
  const unheard = dispatch.unheard + 1;
  const exclusive = unheard >= EXPIRED_CLAIMS_LIMIT;
  const again = dispatch.files.map(([fileId, version]) => {
    const dueAt = exclusive ? nowMs + Math.floor(least + random() * (most - least)) : nowMs;
    return {
      ...singleDispatch("RETRY", fileId, version, dueAt),
      claims: dispatch.claims,
      unheard,
      exclusive,
    };
  });
  return { again, poison: [] };
}

/** Whether the importer that holds the claim has ended: its queue has delivered the same message again since. */
export function hasEnded(holder: Claimant, claimant: Claimant): boolean {
  return holder.message_id === claimant.message_id && holder.attempt < claimant.attempt;
}
