import type { Timeline } from "../../files/timeline.ts";
import { instantOf } from "../../database/rows.ts";
import type { CollectorStorage } from "../storage/storage.ts";
import type { Step } from "./steps.pure.ts";
import { newestOf, type CurrentVersion, type FileVersions, type HeldVersion } from "./versions.pure.ts";

type Entry = Timeline["data"][number];

/** Returns the events of a file's newest version, oldest first. Empty for an unknown file. */
export function readTimeline(storage: CollectorStorage, fileId: string): Entry[] {
  const file = storage.files.read([fileId]).get(fileId);
  if (file === undefined) return [];
  const importId = file.current?.import_id ?? null;
  const released = importId === null ? null : storage.imports.read(importId);
  return timelineOf(file, released?.requested_at ?? null);
}

/**
 * Returns the events of a file's newest version, oldest first. `releasedAt` is when the task of its import arrived, in
 * Unix milliseconds. Null when no task released it, or the collector no longer stores that import.
 */
export function timelineOf(file: FileVersions, releasedAt: number | null): Entry[] {
  const newest = newestOf(file);
  const { received_at, priority } = newest.submission;
  const at = instantOf(received_at);
  const begun: Entry[] = [
    { at, what: "pinged" },
    { at, what: priority === 0 ? "held" : "dispatched" },
  ];
  const steps = newest.state === "held" ? (newest.prefetch?.steps ?? []) : newest.steps;
  const entries = steps.map((step) => entryOf(newest, step));
  if (newest.state === "held" || priority !== 0 || releasedAt === null || newest.import_id === null) {
    return [...begun, ...entries];
  }
  const released = { at: instantOf(releasedAt), what: "released" as const, import_id: newest.import_id };
  // A held version may have been downloaded before its task.
  const before = steps.findIndex((step) => step.at >= releasedAt);
  return [...begun, ...entries.toSpliced(before === -1 ? entries.length : before, 0, released)];
}

function entryOf(version: CurrentVersion | HeldVersion, { at, what, attempt, code }: Step): Entry {
  const tried = version.state === "held" ? version.prefetch : version;
  const faults = tried === null || !("fault" in tried) ? [] : [tried.fault, tried.first_fault];
  const detail = code === null ? undefined : faults.find((fault) => fault?.code === code)?.detail;
  return {
    at: instantOf(at),
    what,
    ...(attempt === null ? {} : { attempt }),
    ...(code === null ? {} : { code }),
    ...(detail === undefined ? {} : { detail }),
  };
}
