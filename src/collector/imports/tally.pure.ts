import type { SettledCounts } from "../../imports/counts.pure.ts";
import type { QueuedVersion } from "../files/versions.pure.ts";

type Outcome = keyof SettledCounts;

function count(
  counts: Map<string, Partial<SettledCounts>>,
  importId: string,
  outcome: Outcome,
  files: number,
): void {
  const sum = counts.get(importId) ?? {};
  sum[outcome] = (sum[outcome] ?? 0) + files;
  counts.set(importId, sum);
}

/** Files settled in one turn, by their import. */
export class Tally {
  readonly settled = new Map<string, Partial<SettledCounts>>();
  /** Differences of files that an import had counted with another outcome. */
  readonly corrected = new Map<string, Partial<SettledCounts>>();

  add({ import_id, retried, skipped }: QueuedVersion, outcome: Outcome): void {
    if (import_id === null) return;
    if (retried) this.correct(import_id, skipped === true ? "skipped" : "failed", outcome);
    else count(this.settled, import_id, outcome, 1);
  }

  /** Counts a file with another outcome than before. */
  correct(importId: string, from: Outcome, to: Outcome): void {
    if (from === to) return;
    count(this.corrected, importId, from, -1);
    count(this.corrected, importId, to, 1);
  }
}
