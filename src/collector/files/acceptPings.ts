import { HELD_FOR_MS } from "../ages.pure.ts";
import type { AcceptedEntry, PingEntry } from "../calls.ts";
import { liveDispatches, SEND_GRACE_MS, type Dispatch } from "../dispatches/dispatch.pure.ts";
import { housekeepBy } from "../housekeep.ts";
import type { CollectorIdentity } from "../identity.ts";
import type { OutboxEntry } from "../outbox/entry.ts";
import type { CollectorStorage } from "../storage/storage.ts";
import type { CollectorTurn } from "../turn.ts";
import { stateOf } from "./projection.pure.ts";
import { discardUnreferenced } from "./unreferencedObjects.ts";
import { accept, newestOf, queuedVersion, type FileVersions } from "./versions.pure.ts";

/** Pings become versions of their files, in order. Returns the dispatches to send at once. */
export function acceptPings(
  turn: CollectorTurn,
  entries: readonly PingEntry[],
  isFirst: boolean,
): { accepted: AcceptedEntry[]; dispatches: Dispatch[] } {
  const { storage, now } = turn;
  const { accepted, changed, live, duplicates, discarded } = judgePings(storage, turn.identity, entries, now);
  storage.files.write(changed);
  storage.files.rememberDuplicates(duplicates);
  const dispatches = liveDispatches(turn, live, now + SEND_GRACE_MS);
  storage.dispatches.write(dispatches);
  // What replaced an object must reach the read model before the object is deleted. And the outbox projects one
  // file of a new collector, even if the request ends before it can: an erasure finds collectors there.
  const projected = discarded.length > 0 ? changed : isFirst ? changed.slice(0, 1) : [];
  if (projected.length > 0) {
    storage.outbox.add([
      { kind: "project_files", file_ids: projected.map((file) => file.file_id) },
      ...discarded,
    ]);
  }
  if (changed.some((file) => file.held !== null)) housekeepBy(turn, now + HELD_FOR_MS);
  if (isFirst || dispatches.length > 0) turn.alarmBy(now + SEND_GRACE_MS);
  if (discarded.length > 0) turn.alarmBy(now);
  return { accepted, dispatches };
}

/** The status that `acceptPings` would return for each ping now. Writes nothing. */
export function previewPings(
  storage: CollectorStorage,
  identity: CollectorIdentity,
  entries: readonly PingEntry[],
  nowMs: number,
): AcceptedEntry["status"][] {
  return judgePings(storage, identity, entries, nowMs).accepted.map((entry) => entry.status);
}

interface Judged {
  accepted: AcceptedEntry[];
  /** Files to write, each with the last of its pings. */
  changed: FileVersions[];
  /** Versions to dispatch at once. */
  live: { file_id: string; version: number }[];
  /** Ids of files whose priority-0 ping repeats what is there: the next import counts them as skipped. */
  duplicates: string[];
  /** Objects that no file references any more. */
  discarded: OutboxEntry[];
}

function judgePings(
  storage: CollectorStorage,
  identity: CollectorIdentity,
  entries: readonly PingEntry[],
  nowMs: number,
): Judged {
  const files = storage.files.read(entries.map((entry) => entry.file_id));
  const floor = storage.versionFloor();
  const changed = new Map<string, FileVersions>();
  const live: Judged["live"] = [];
  const duplicates: string[] = [];
  const discarded: OutboxEntry[] = [];
  const repeated = new Set<string>();
  const accepted = entries.map((entry): AcceptedEntry => {
    const before = files.get(entry.file_id) ?? null;
    const after = accept(before, entry, floor, nowMs);
    const newest = newestOf(after);
    if (after === before) {
      const isHeld = newest.state === "held";
      if (!isHeld && entry.submission.priority === 0) duplicates.push(entry.file_id);
      // A state may be long, and a request may repeat one file thousands of times: it is returned once.
      const isReturned = changed.has(entry.file_id) || repeated.has(entry.file_id);
      const isOpen = isHeld || newest.state === "queued";
      repeated.add(entry.file_id);
      return {
        status: isHeld ? "held" : "duplicate",
        version: newest.version,
        taken: null,
        state: isOpen && !isReturned ? stateOf(after) : null,
      };
    }
    discarded.push(...discardUnreferenced(identity, before, after));
    if (newest.state === "queued") live.push({ file_id: entry.file_id, version: newest.version });
    files.set(entry.file_id, after);
    changed.set(entry.file_id, after);
    return {
      status: newest.state === "held" ? "held" : "queued",
      version: newest.version,
      taken: {
        revision: after.revision,
        import_id: newest.state === "held" ? null : newest.import_id,
      },
    };
  });
  return {
    accepted,
    changed: [...changed.values()],
    // A file that was replaced twice in one request needs only its last dispatch.
    live: live.filter(({ file_id, version }) => queuedVersion(files.get(file_id), version) !== null),
    duplicates,
    discarded,
  };
}
