import type { Outcome } from "../collector/calls.ts";
import type { CollectorIdentity } from "../collector/identity.ts";
import { readableStatements } from "../activities/readableFiles.ts";
import { boundOf, readErased } from "../erasure/read.ts";
import { mustReport, readWanted, wantedOf } from "../outcomes/read.ts";
import { touchUsers } from "../users/write.ts";
import type { DecodedFile } from "./importFile.ts";

/** Result of making files readable. `erasedBefore` is the bound of an erasure that covers one of the files, or 0. */
export interface MadeReadable {
  outcomes: Outcome[];
  erasedBefore: number;
  /** Whether an endpoint of the partner wants the outcomes. */
  mustReport: boolean;
}

/**
 * Makes decoded files readable in one transaction. Each replaces all activities of its older version, unless a newer
 * version or an erasure came first. Throws when the database is down. Repeating it changes nothing.
 */
export async function makeReadable(
  database: D1Database,
  owner: CollectorIdentity,
  files: readonly DecodedFile[],
): Promise<MadeReadable> {
  if (files.length === 0) return { outcomes: [], erasedBefore: 0, mustReport: false };
  const results = await database.batch([
    ...readableStatements(database, owner, files),
    // For a live ride that is imported before its collector's alarm, nothing else writes the user.
    ...touchUsers(database, owner.partner_id, [
      {
        ...owner,
        version: Math.max(...files.map(({ item }) => item.version)),
        pinged_at: Math.max(...files.map(({ item }) => item.submission.received_at)),
      },
    ]),
    readWanted(database, owner.partner_id),
    readErased(database, owner.partner_id, owner.user_hash),
  ]);
  const outcomes = files.map(({ item }): Outcome => ({
    result: "imported",
    file_id: item.file_id,
    version: item.version,
    revision: item.revision,
  }));
  const bound = boundOf(results.at(-1));
  return {
    outcomes,
    erasedBefore: files.some(({ item }) => item.version <= bound) ? bound : 0,
    mustReport: mustReport(
      wantedOf(results.at(-2)),
      files.map(({ item }) => item.submission),
    ),
  };
}
