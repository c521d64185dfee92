import { KEPT_URL_FOR_MS } from "../../contract/limits.ts";
import { housekeepBy } from "../housekeep.ts";
import { applyTally } from "../imports/completeImport.ts";
import type { Tally } from "../imports/tally.pure.ts";
import type { CollectorTurn } from "../turn.ts";
import { discardUnreferenced } from "./unreferencedObjects.ts";
import type { FileVersions } from "./versions.pure.ts";

/** Results of ended attempts. Their files are written already. */
export interface EndedAttempts {
  /** Ids of the files to project. Imported files are not projected, because the importer has made them readable. */
  project: readonly string[];
  failed: readonly { before: FileVersions; after: FileVersions }[];
  tally: Tally;
}

/** Projects files after their attempts, adds the tally to imports, and discards unreferenced objects. */
export function finishAttempts(turn: CollectorTurn, { project, failed, tally }: EndedAttempts): void {
  const { storage, identity, now } = turn;
  if (project.length > 0) {
    storage.outbox.add([{ kind: "project_files", file_ids: [...project] }]);
    housekeepBy(turn, now + KEPT_URL_FOR_MS);
    turn.alarmBy(now + turn.clock.projectionDelayMs);
  }
  applyTally(turn, tally);
  for (const { before, after } of failed) storage.outbox.add(discardUnreferenced(identity, before, after));
}
