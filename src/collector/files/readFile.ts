import type { FileProjection } from "../../files/write.ts";
import type { CollectorStorage } from "../storage/storage.ts";
import { projectionOf } from "./projection.pure.ts";

/** Returns a file's newest version, with the file's names. Null for an unknown file. Writes nothing. */
export function readFile(storage: CollectorStorage, fileId: string): FileProjection | null {
  const identity = storage.identity.get();
  const file = storage.files.read([fileId]).get(fileId);
  return identity === null || file === undefined ? null : projectionOf(identity, file);
}
