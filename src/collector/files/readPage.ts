import type { FileProjection } from "../../files/write.ts";
import type { CollectorPage, PagedFile } from "../calls.ts";
import type { CollectorIdentity } from "../identity.ts";
import { importProjection } from "../imports/import.pure.ts";
import type { CollectorStorage } from "../storage/storage.ts";
import { projectionOf } from "./projection.pure.ts";
import { importedRevision, type FileVersions } from "./versions.pure.ts";

/** Returns at most `limit` files after a file id, for a read model that may have lost them. Null without any data. */
export function readPage(storage: CollectorStorage, after: string, limit: number): CollectorPage | null {
  const identity = storage.identity.get();
  if (identity === null) return null;
  const found = storage.files.after(after, limit);
  const files = found.map((file) => pagedFile(identity, file));
  return {
    names: identity,
    files,
    imports: after === "" ? storage.imports.all().map((row) => importProjection(identity, row)) : [],
    next: files.length < limit ? null : (files.at(-1)?.newest.file_id ?? null),
  };
}

function pagedFile(identity: CollectorIdentity, file: FileVersions): PagedFile {
  return { newest: projectionOf(identity, file), imported: importedOf(identity, file) };
}

/** Returns the imported version. */
function importedOf(identity: CollectorIdentity, file: FileVersions): FileProjection | null {
  if (file.current?.state !== "imported") return null;
  const imported = projectionOf(identity, { ...file, current: file.current, held: null });
  return { ...imported, revision: importedRevision(file) };
}
