import { countsOf } from "../../imports/counts.pure.ts";
import type { ReadImport } from "../calls.ts";
import type { CollectorStorage } from "../storage/storage.ts";

/** Returns the current counts and status of an import. Null when the collector no longer stores it. */
export function readImport(storage: CollectorStorage, importId: string): ReadImport | null {
  const row = storage.imports.read(importId);
  return row === null ? null : { ...countsOf(row), status: row.status };
}
