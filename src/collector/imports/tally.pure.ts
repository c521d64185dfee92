import type { SettledCounts } from "../../imports/counts.pure.ts";
import type { QueuedVersion } from "../files/versions.pure.ts";

/** Files settled in one turn, by their import. */
export class Tally {
  readonly settled = new Map<string, Partial<SettledCounts>>();
  /** Numbers of files that an import counted as failed and that a retry imported. */
  readonly retried = new Map<string, number>();

  add({ import_id, retried }: QueuedVersion, result: "imported" | "failed"): void {
    if (import_id === null) return;
    if (retried) {
      if (result === "imported") this.retried.set(import_id, (this.retried.get(import_id) ?? 0) + 1);
      return;
    }
    const counts = this.settled.get(import_id) ?? {};
    counts[result] = (counts[result] ?? 0) + 1;
    this.settled.set(import_id, counts);
  }
}
