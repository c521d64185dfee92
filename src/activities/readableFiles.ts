import type { WorkItem } from "../collector/calls.ts";
import type { Submission } from "../collector/files/submission.pure.ts";
import type { CollectorIdentity } from "../collector/identity.ts";
import type { FileEdits } from "../files/edits.pure.ts";
import type { StoredObject } from "../files/file.ts";
import { pingFieldsOf, type PingFields } from "../files/pingFields.pure.ts";
import { importFiles, type ImportedFile } from "../files/write.ts";
import { DECODER_VERSION, type DecodeResult } from "../fit/index.ts";
import { newBatchId } from "../identifiers.ts";
import { replaceActivities } from "./write.ts";

/** A decoded file with its stored bytes. The version has one more attempt than its item: the one that decoded it. */
export interface ReadableFile {
  item: Pick<WorkItem, "file_id" | "summary_id" | "version" | "revision" | "attempts" | "import_id"> & {
    edits?: FileEdits | null;
    submission: PingFields & Pick<Submission, "received_at">;
  };
  stored: StoredObject;
  decoded: Extract<DecodeResult, { ok: true }>;
}

/** Returns the statements that make decoded files readable. Run them in one transaction. */
export function readableStatements(
  database: D1Database,
  owner: CollectorIdentity,
  files: readonly ReadableFile[],
): D1PreparedStatement[] {
  const { partner_id } = owner;
  const batchId = newBatchId();
  return [
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
  ];
}

function fileOf(owner: CollectorIdentity, { item, stored, decoded }: ReadableFile): ImportedFile {
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
    next_attempt_at: null,
    version: item.version,
    revision: item.revision,
    received_at: item.submission.received_at,
    failed_object: null,
    edits: item.edits ?? null,
    object_key: stored.key,
    sha256: stored.sha256,
    size_in_bytes: stored.size_in_bytes,
    warnings: decoded.warnings,
    activity_count: decoded.activities.length,
    decoder_version: DECODER_VERSION,
  };
}
