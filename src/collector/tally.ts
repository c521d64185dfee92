import type { Counts } from "./importing.ts";
import type { CurrentVersion } from "./ledger.ts";

/** Counts of settled files, by the import that waits for them. */
export class Tally {
  readonly imports = new Map<string, Counts>();
  /** Files that an import has counted as failed, and that a retry has imported. */
  readonly mended = new Map<string, number>();

  add(version: CurrentVersion, settled: "imported" | "failed"): void {
    const importId = version.import_id;
    if (importId === null) return;
    if (version.retried === true) {
      if (settled === "imported") this.mended.set(importId, (this.mended.get(importId) ?? 0) + 1);
      return;
    }
    const counts = this.imports.get(importId) ?? { imported: 0, skipped: 0, failed: 0 };
    counts[settled] += 1;
    this.imports.set(importId, counts);
  }
}
