import { randomId } from "../identifiers.ts";
import type { Dispatch, QueueName } from "./storage.ts";

/** Files that one bulk message carries: one message a file costs three times as much. */
export const FILES_PER_BULK_DISPATCH = 25;

/** A file whose import has ended without a word this often fails: it may kill whatever imports it. */
const UNHEARD_LIMIT = 3;

export interface Clock {
  /** How long an importer may work without reporting. */
  claimMs: number;
  /** When a message that nobody claimed is sent again. */
  leaseMs: number;
  /** How long progress of an import gathers before the read model is told. */
  projectionDelayMs: number;
}

/** Local queues live in memory and forget on a restart, so there a message is missed much sooner. */
export function clockFor(environment: string): Clock {
  const leaseMs = environment === "local" ? 20_000 : 900_000;
  return { claimMs: 60_000, leaseMs, projectionDelayMs: 1_000 };
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
 * What becomes of files whose claim ended without a word: each goes on alone, so that one that kills its
 * importer takes no neighbour along, and counts as poison once it has done so too often.
 */
export function splitAfterSilence(
  dispatch: Dispatch,
  nowMs: number,
): { again: Dispatch[]; poison: [string, number][] } {
  const unheard = dispatch.unheard + 1;
  if (unheard >= UNHEARD_LIMIT && dispatch.files.length === 1) return { again: [], poison: dispatch.files };
  const again = dispatch.files.map(([fileId, version]) => ({
    ...singleDispatch("RETRY", fileId, version, nowMs),
    claims: dispatch.claims,
    unheard,
  }));
  return { again, poison: [] };
}
