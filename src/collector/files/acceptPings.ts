import { HELD_FOR_MS } from "../../contract/limits.ts";
import type { AcceptedPings, PingEntry, PingStatus } from "../calls.ts";
import { liveDispatches, SEND_GRACE_MS, type Dispatch } from "../dispatches/dispatch.pure.ts";
import { housekeepBy } from "../housekeep.ts";
import type { CollectorIdentity } from "../identity.ts";
import { applyTally } from "../imports/completeImport.ts";
import { Tally } from "../imports/tally.pure.ts";
import type { OutboxEntry } from "../outbox/entry.ts";
import type { CollectorStorage } from "../storage/storage.ts";
import type { CollectorTurn } from "../turn.ts";
import { discardUnreferenced } from "./unreferencedObjects.ts";
import {
  acceptVersion,
  isSkipped,
  isSuperseded,
  newestOf,
  queuedVersion,
  type FileVersions,
} from "./versions.pure.ts";

/**
 * Makes pings versions of their files, in order. Returns the dispatches to send immediately. `prefetch`: whether held
 * files are downloaded before their task.
 */
export function acceptPings(
  turn: CollectorTurn,
  entries: readonly PingEntry[],
  prefetch = false,
): { accepted: AcceptedPings; dispatches: Dispatch[] } {
  const { storage, now, clock } = turn;
  const { statuses, versions, repeats, changed, live, duplicates, discarded, replacedFailures } = judgePings(
    storage,
    turn.identity,
    entries,
    now,
    prefetch,
  );
  storage.files.write(changed);
  storage.prefetches.add(changed.flatMap(({ file_id, held }) => (held?.prefetch == null ? [] : file_id)));
  applyTally(turn, replacedFailures);
  storage.files.rememberDuplicates(duplicates);
  const dispatches = liveDispatches(turn, live, now + SEND_GRACE_MS);
  storage.dispatches.write(dispatches);
  storage.outbox.add(
    changed.length > 0
      ? changesOf(changed, dispatches, discarded)
      : [{ kind: "touch_user", version: Math.max(...versions), pinged_at: now }],
  );
  if (changed.some((file) => file.held !== null)) housekeepBy(turn, now + HELD_FOR_MS);
  turn.alarmBy(now + clock.projectionDelayMs);
  return { accepted: { statuses, versions, repeats }, dispatches };
}

/**
 * Returns the outbox entries of accepted pings. An open dispatch replaces the entry of its live ride, so that a ride
 * that is imported before the alarm needs none. When an object is discarded, an entry for its file comes first.
 */
function changesOf(
  changed: readonly FileVersions[],
  dispatches: readonly Dispatch[],
  discarded: readonly OutboxEntry[],
): OutboxEntry[] {
  const dispatched = new Set(dispatches.flatMap(({ files }) => files.map(([fileId]) => fileId)));
  const file_ids = changed
    .filter((file) => discarded.length > 0 || file.held !== null || !dispatched.has(file.file_id))
    .map((file) => file.file_id);
  return [...(file_ids.length === 0 ? [] : [{ kind: "project_files" as const, file_ids }]), ...discarded];
}

/** Returns the status that `acceptPings` would return for each ping now. Writes nothing. */
export function previewPings(
  storage: CollectorStorage,
  identity: CollectorIdentity,
  entries: readonly PingEntry[],
  nowMs: number,
): PingStatus[] {
  return judgePings(storage, identity, entries, nowMs).statuses;
}

interface Judged extends AcceptedPings {
  /** Files to write, each after the last of its pings. */
  changed: FileVersions[];
  /** Versions to dispatch immediately. */
  live: { file_id: string; version: number }[];
  /** Ids of files with a repeated or superseded priority-0 ping. The next import counts them as skipped. */
  duplicates: string[];
  /** Objects that no version references any more. */
  discarded: OutboxEntry[];
  /** Failed files that their imports now count as skipped, because a newer version is held. */
  replacedFailures: Tally;
}

function judgePings(
  storage: CollectorStorage,
  identity: CollectorIdentity,
  entries: readonly PingEntry[],
  nowMs: number,
  prefetch = false,
): Judged {
  const fileIds = entries.map((entry) => entry.file_id);
  const files = storage.files.read(fileIds);
  const deleted = storage.deletedFiles.read(fileIds);
  const floor = storage.versionFloor();
  const changed = new Map<string, FileVersions>();
  const live: Judged["live"] = [];
  const duplicates: string[] = [];
  const discarded: OutboxEntry[] = [];
  const replacedFailures = new Tally();
  const statuses: PingStatus[] = [];
  const versions: number[] = [];
  const repeats: number[] = [];
  for (const [index, entry] of entries.entries()) {
    const before = files.get(entry.file_id) ?? null;
    const above = Math.max(floor, deleted.get(entry.file_id) ?? 0);
    const after = acceptVersion(before, entry, above, nowMs, prefetch);
    const newest = newestOf(after);
    versions.push(newest.version);
    if (after === before) {
      const isHeld = newest.state === "held";
      if (!isHeld && entry.submission.priority === 0) duplicates.push(entry.file_id);
      if (isSuperseded(before, entry.submission)) statuses.push("superseded");
      else statuses.push(isHeld ? "held" : "duplicate");
      repeats.push(index);
      continue;
    }
    discarded.push(...discardUnreferenced(identity, before, after));
    const failed = before?.current?.state === "failed" ? before.current : null;
    if (failed?.import_id != null && newest.state === "held" && !isSkipped(failed)) {
      replacedFailures.correct(failed.import_id, "failed", "skipped");
    }
    if (newest.state === "queued") live.push({ file_id: entry.file_id, version: newest.version });
    files.set(entry.file_id, after);
    changed.set(entry.file_id, after);
    statuses.push(newest.state === "held" ? "held" : "queued");
  }
  return {
    statuses,
    versions,
    repeats,
    changed: [...changed.values()],
    // A file with several pings in one request needs only the dispatch of the last.
    live: live.filter(({ file_id, version }) => queuedVersion(files.get(file_id), version) !== null),
    duplicates,
    discarded,
    replacedFailures,
  };
}
