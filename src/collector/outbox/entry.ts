/** A change that the collector still has to write to the read model. */
export type OutboxEntry =
  | { kind: "project_files"; file_ids: string[] }
  /** No version here references the object; it is deleted unless the read model still does. */
  | { kind: "discard_object"; file_id: string; object_key: string }
  | { kind: "complete_import"; import_id: string };
