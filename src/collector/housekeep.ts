import {
  CLOSED_IMPORT_KEPT_FOR_MS,
  ERASURE_KEPT_FOR_MS,
  HELD_FOR_MS,
  KEPT_URL_FOR_MS,
} from "../contract/limits.ts";
import { discardUnreferenced } from "./files/unreferencedObjects.ts";
import { dropUrl, expireHeld } from "./files/versions.pure.ts";
import type { CollectorStorage } from "./storage/storage.ts";
import type { CollectorTurn } from "./turn.ts";

/** Expires old held pings, kept URLs, completed imports and bounds of deleted files: at most `limit` pings and URLs. */
export function housekeep({ storage, identity, now }: CollectorTurn, limit: number): void {
  const expired = storage.files.heldUpTo(now - HELD_FOR_MS, limit).map((file) => expireHeld(file, now));
  const stale = storage.files
    .failuresWithUrl(now - KEPT_URL_FOR_MS, limit)
    .map((before) => ({ before, after: dropUrl(before) }));
  const changed = [...expired, ...stale.map(({ after }) => after)];
  storage.files.write(changed);
  if (changed.length > 0) {
    storage.outbox.add([{ kind: "project_files", file_ids: changed.map((file) => file.file_id) }]);
  }
  for (const row of storage.imports.all()) {
    if (row.completed_at !== null && row.completed_at <= now - CLOSED_IMPORT_KEPT_FOR_MS) {
      storage.imports.delete(row.import_id);
    }
  }
  storage.deletedFiles.deleteUpTo(now - ERASURE_KEPT_FOR_MS);
  for (const { before, after } of stale) storage.outbox.add(discardUnreferenced(identity, before, after));
  storage.identity.setHousekeeping(nextHousekeeping(storage));
}

/** Schedules housekeeping, and the alarm for it, for `at` or earlier. */
export function housekeepBy(turn: CollectorTurn, at: number): void {
  const { identity } = turn.storage;
  const planned = identity.housekeepingAt;
  if (planned !== null && planned <= at) return;
  identity.setHousekeeping(at);
  turn.alarmBy(at);
}

/** Returns when the oldest held ping, kept URL, completed import or deletion expires. Null without any. */
function nextHousekeeping({ files, deletedFiles, imports }: CollectorStorage): number | null {
  const failure = files.oldestFailureWithUrl();
  const times = failure === null ? [] : [failure + KEPT_URL_FOR_MS];
  const held = files.countHeld();
  if (held.count > 0) times.push(held.oldest + HELD_FOR_MS);
  const deleted = deletedFiles.oldest();
  if (deleted !== null) times.push(deleted + ERASURE_KEPT_FOR_MS);
  for (const row of imports.all()) {
    if (row.completed_at !== null) times.push(row.completed_at + CLOSED_IMPORT_KEPT_FOR_MS);
  }
  return times.reduce<number | null>((least, time) => (least === null || time < least ? time : least), null);
}
