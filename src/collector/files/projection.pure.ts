import type { FileProjection } from "../../files/write.ts";
import type { CollectorIdentity } from "../identity.ts";
import { pingFieldsOf } from "../../files/pingFields.pure.ts";
import { isSkipped, newestOf, type FileVersions } from "./versions.pure.ts";

/** Returns the state of a file's newest version, with the file's names, for the read model. */
export function projectionOf(identity: CollectorIdentity, file: FileVersions): FileProjection {
  const { user_id, user_hash, source } = identity;
  const newest = newestOf(file);
  const dispatched = newest.state === "held" ? null : newest;
  const tried = newest.state === "held" ? newest.prefetch : newest;
  return {
    file_id: file.file_id,
    user_id,
    user_hash,
    source,
    summary_id: file.summary_id,
    ...pingFieldsOf(newest.submission),
    status: newest.state === "failed" && isSkipped(newest) ? "skipped" : newest.state,
    attempts: tried?.attempts ?? 0,
    import_id: dispatched?.import_id ?? null,
    error: tried !== null && "fault" in tried ? tried.fault : null,
    next_attempt_at: tried !== null && "next_attempt_at" in tried ? tried.next_attempt_at : null,
    version: newest.version,
    revision: file.revision,
    received_at: newest.submission.received_at,
    edits: file.edits,
    failed_object: newest.state === "failed" ? newest.failed_object : null,
  };
}
