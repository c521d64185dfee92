import { FILES_PER_BULK_DISPATCH, PREFETCH_WINDOW, prefetchDispatches } from "../dispatches/dispatch.pure.ts";
import { awaitsPrefetch } from "../files/versions.pure.ts";
import type { CollectorStorage } from "../storage/storage.ts";
import type { CollectorTurn } from "../turn.ts";
import type { ImportState } from "./import.pure.ts";

/** Maximum number of waiting files that one alarm considers. The next alarm considers the others. */
const FILES_PER_ALARM = 1_000;

/** Returns how many dispatches of held files may be created now. None while files of an import wait. */
function roomFor(storage: CollectorStorage, imports: readonly ImportState[], nowMs: number): number {
  if (storage.prefetches.isEmpty || imports.some((row) => row.drained_to !== null)) return 0;
  return PREFETCH_WINDOW - storage.dispatches.countPrefetches(nowMs);
}

/** Returns whether held files wait for their download, and may be dispatched now. */
export function prefetchWaits(
  storage: CollectorStorage,
  imports: readonly ImportState[],
  nowMs: number,
): boolean {
  return roomFor(storage, imports, nowMs) > 0;
}

/** Dispatches held files for their download before the task, as many as fit into the window. */
export function drainPrefetches(turn: CollectorTurn): void {
  const { storage, now } = turn;
  const wanted = roomFor(storage, storage.imports.all(), now) * FILES_PER_BULK_DISPATCH;
  if (wanted <= 0) return;
  const dispatched = storage.dispatches.prefetchedVersions();
  const versions = new Map<string, number>();
  for (let looked = 0; looked < FILES_PER_ALARM && versions.size < wanted;) {
    const fileIds = storage.prefetches.take(wanted - versions.size);
    if (fileIds.length === 0) break;
    looked += fileIds.length;
    for (const { file_id, held } of storage.files.read(fileIds).values()) {
      if (held === null || !awaitsPrefetch(held)) continue;
      const isDispatched = dispatched.get(file_id)?.has(held.version) ?? false;
      if (!isDispatched) versions.set(file_id, held.version);
    }
  }
  const files = Array.from(versions, ([file_id, version]) => ({ file_id, version }));
  storage.dispatches.write(prefetchDispatches(turn, files, now));
}
