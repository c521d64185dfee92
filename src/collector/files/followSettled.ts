import { KEPT_URL_FOR_MS } from "../ages.pure.ts";
import { housekeepBy } from "../housekeep.ts";
import { applyTally } from "../imports/completeImport.ts";
import type { Tally } from "../imports/tally.pure.ts";
import type { CollectorTurn } from "../turn.ts";
import { discardUnreferenced } from "./unreferencedObjects.ts";
import type { FileVersions } from "./versions.pure.ts";

/** What attempts changed, once the files are written. */
export interface Settled {
  /** Ids of files to project: all but the imported ones, which the importer has made readable. */
  project: readonly string[];
  failed: readonly { before: FileVersions; after: FileVersions }[];
  tally: Tally;
}

/** The consequences of ended attempts: files are projected, imports count, unreferenced objects are discarded. */
export function followSettled(turn: CollectorTurn, { project, failed, tally }: Settled): void {
  const { storage, identity, now } = turn;
  if (project.length > 0) {
    storage.outbox.add([{ kind: "project_files", file_ids: [...project] }]);
    housekeepBy(turn, now + KEPT_URL_FOR_MS);
    turn.alarmBy(now + turn.clock.projectionDelayMs);
  }
  applyTally(turn, tally);
  for (const { before, after } of failed) storage.outbox.add(discardUnreferenced(identity, before, after));
}
