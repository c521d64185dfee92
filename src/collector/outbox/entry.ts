/** A change that the collector still has to write to the read model or to R2. */
export type OutboxEntry =
  | { kind: "project_files"; file_ids: string[] }
  /** The user was pinged at this time, in Unix milliseconds. The pings repeated versions up to this one. */
  | { kind: "touch_user"; version: number; pinged_at: number }
  /** No version here references the object; it is deleted unless the read model still does. */
  | { kind: "discard_object"; file_id: string; object_key: string }
  | { kind: "complete_import"; import_id: string }
  /** Only erased versions referenced these objects. */
  | { kind: "delete_objects"; object_keys: string[] };
