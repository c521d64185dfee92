/** A change that the collector still has to write to D1, R2 or a queue. */
export type OutboxEntry =
  | { kind: "project_files"; file_ids: string[] }
  /** The file was deleted, with all versions up to this one. */
  | { kind: "delete_file"; file_id: string; version: number }
  /** Only repeated pings came, at `pinged_at` in Unix milliseconds. `version` is the newest that they repeat. */
  | { kind: "touch_user"; version: number; pinged_at: number }
  /** No version here references the object. It is deleted unless the read model references it. */
  | { kind: "discard_object"; file_id: string; object_key: string }
  | { kind: "complete_import"; import_id: string }
  /** Only erased versions reference these objects. */
  | { kind: "delete_objects"; object_keys: string[] };
