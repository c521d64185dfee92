import { replaceActivities } from "../activities/write.ts";
import type { Outcome } from "../collector/calls.ts";
import type { CollectorIdentity } from "../collector/identity.ts";
import { boundOf, readErased } from "../erasure/read.ts";
import { pingFieldsOf } from "../files/pingFields.pure.ts";
import { importFiles, type ImportedFile } from "../files/write.ts";
import { DECODER_VERSION } from "../fit/index.ts";
import { newBatchId } from "../identifiers.ts";
import { touchUsers } from "../users/write.ts";
import type { DecodedFile } from "./importFile.ts";

/** Result of making files readable. `erasedBefore` is the bound of an erasure that covers one of the files, or 0. */
export interface MadeReadable {
  outcomes: Outcome[];
  erasedBefore: number;
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
  if (files.length === 0) return { outcomes: [], erasedBefore: 0 };
  const { partner_id } = owner;
  const batchId = newBatchId();
  const results = await database.batch([
    ...importFiles(
      database,
      partner_id,
      files.map((file) => fileOf(owner, file)),
      batchId,
    ),
    ...replaceActivities(
      database,
      partner_id,
      files.map(({ item, decoded }) => ({
        file_id: item.file_id,
        version: item.version,
        activities: decoded.activities,
      })),
      batchId,
    ),
    // For a live ride that is imported before its collector's alarm, nothing else writes the user.
    ...touchUsers(database, partner_id, [
      {
        ...owner,
        version: Math.max(...files.map(({ item }) => item.version)),
        pinged_at: Math.max(...files.map(({ item }) => item.submission.received_at)),
      },
    ]),
    readErased(database, partner_id, owner.user_hash),
  ]);
  const outcomes = files.map(({ item }): Outcome => ({
    result: "imported",
    file_id: item.file_id,
    version: item.version,
    revision: item.revision,
  }));
  const bound = boundOf(results.at(-1));
  return { outcomes, erasedBefore: files.some(({ item }) => item.version <= bound) ? bound : 0 };
}

function fileOf(owner: CollectorIdentity, { item, stored, decoded }: DecodedFile): ImportedFile {
  return {
    file_id: item.file_id,
    user_id: owner.user_id,
    user_hash: owner.user_hash,
    source: owner.source,
    summary_id: item.summary_id,
    ...pingFieldsOf(item.submission),
    status: "imported",
    attempts: item.attempts + 1,
    import_id: item.import_id,
    error: null,
    version: item.version,
    revision: item.revision,
    received_at: item.submission.received_at,
    failed_object: null,
    object_key: stored.key,
    sha256: stored.sha256,
    size_in_bytes: stored.size_in_bytes,
    warnings: decoded.warnings,
    activity_count: decoded.activities.length,
    decoder_version: DECODER_VERSION,
  };
}
