import type { Timeline } from "../files/timeline.ts";
import { instantOf } from "../rows.ts";
import { newestOf, type CurrentVersion, type LedgerRow, type Step } from "./ledger.ts";

/** As many as show how a file that fails for hours began and ended; they stand in a row that is written anyway. */
const MAX_STEPS = 20;

/** The steps of a version with one more; of too many the first stays, and the latest. */
export function withStep(version: Pick<CurrentVersion, "steps">, step: Step): Step[] {
  const steps = [...(version.steps ?? []), step];
  return steps.length <= MAX_STEPS ? steps : [...steps.slice(0, 1), ...steps.slice(1 - MAX_STEPS)];
}

type Entry = Timeline["data"][number];

/**
 * The life of a file's newest version. `releasedAt` is when the task of its import came, in Unix milliseconds;
 * null when no task has taken it, or the collector has forgotten that import.
 */
export function timelineOf(row: LedgerRow, releasedAt: number | null): Entry[] {
  const newest = newestOf(row);
  if (newest === null) return [];
  const { received_at, priority } = newest.submission;
  const at = instantOf(received_at);
  const begun: Entry[] = [{ at, what: "pinged" }];
  const current = row.held === null ? row.current : null;
  if (priority === 0) begun.push({ at, what: "held" });
  else begun.push({ at, what: "dispatched" });
  if (current === null) return begun;
  if (priority === 0 && releasedAt !== null && current.import_id !== null) {
    begun.push({ at: instantOf(releasedAt), what: "released", import_id: current.import_id });
  }
  const faults = [current.fault, current.first_fault];
  const steps = (current.steps ?? []).map((step): Entry => {
    const { at, what, attempt, code } = step;
    const detail = faults.find((fault) => fault?.code === code)?.detail;
    return {
      at: instantOf(at),
      what,
      ...(attempt === undefined ? {} : { attempt }),
      ...(code === undefined ? {} : { code }),
      ...(detail === undefined ? {} : { detail }),
    };
  });
  return [...begun, ...steps];
}
