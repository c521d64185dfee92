import { versionKey } from "../../files/objectKeys.ts";
import type { AskedObject } from "../calls.ts";
import type { CollectorIdentity } from "../identity.ts";
import type { OutboxEntry } from "../outbox/entry.ts";
import type { CollectorStorage } from "../storage/storage.ts";
import { importedRevision, type FileVersions } from "./versions.pure.ts";

/** Returns outbox entries for objects that a change leaves unreferenced here. The read model may still use one. */
export function discardUnreferenced(
  identity: CollectorIdentity,
  before: FileVersions | null,
  after: FileVersions,
): OutboxEntry[] {
  if (before === null) return [];
  const kept = new Set(objectsReferenced(identity, after));
  return discardAll(identity, before).filter(({ object_key }) => !kept.has(object_key));
}

/** Returns outbox entries for all objects that a file's versions reference here. */
export function discardAll(
  identity: CollectorIdentity,
  file: FileVersions,
): Extract<OutboxEntry, { kind: "discard_object" }>[] {
  const { file_id } = file;
  return objectsReferenced(identity, file).map((object_key) => ({
    kind: "discard_object",
    file_id,
    object_key,
  }));
}

/** Returns the keys where a held, queued or failed version has or may have bytes. D1 references imported bytes. */
function objectsReferenced(identity: CollectorIdentity, { file_id, held, current }: FileVersions): string[] {
  const keys: (string | null | undefined)[] = [held?.submission.object_key];
  if (held !== null && held.prefetch !== null) {
    keys.push(versionKey(identity.partner_id, identity.user_id, file_id, held.version));
  }
  if (current !== null && current.state !== "imported") {
    keys.push(current.submission.object_key, current.failed_object?.key);
    if (current.submission.callback_url !== null) {
      keys.push(versionKey(identity.partner_id, identity.user_id, file_id, current.version));
    }
  }
  return [...new Set(keys.filter((key) => key != null))];
}

/**
 * Returns the keys of those inline objects that a version here references, or may reference: an imported version does
 * not have its key, and the row that has it may be lost or old in a restored database.
 */
export function referencedObjects(storage: CollectorStorage, objects: readonly AskedObject[]): string[] {
  const files = storage.files.read(objects.map((object) => object.file_id));
  return objects.flatMap(({ file_id, object_key, row_revision = Infinity }) => {
    const file = files.get(file_id);
    if (file === undefined) return [];
    const referenced = [file.held?.submission.object_key, file.current?.submission.object_key];
    return referenced.includes(object_key) || row_revision < importedRevision(file) ? [object_key] : [];
  });
}
