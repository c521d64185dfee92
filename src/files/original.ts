import type { Owner } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { logLine } from "../log.ts";
import { beginsLikeFitFile, containerOf, FILE_HEAD_BYTES, type Container } from "./container.ts";
import { readOriginal, type StoredOriginal } from "./read.ts";

export type Original<T> =
  | { ok: true; startTimeInSeconds: number; found: T }
  /** `no_file`: unknown file. `no_bytes`: its bytes were never stored. `missing`: R2 has lost them. */
  | { ok: false; code: "no_file" | "no_bytes" | "missing" };

/**
 * Finds a file's bytes with `get`. Tries twice: an import may replace the object between the read of the read model
 * and the read of R2.
 */
export async function withOriginal<T>(
  env: Env,
  owner: Owner,
  fileId: string,
  get: (original: StoredOriginal, objectKey: string) => Promise<T | null>,
): Promise<Original<T>> {
  for (let look = 0; look < 2; look += 1) {
    const original = await readOriginal(env, owner, fileId);
    if (original === null) return { ok: false, code: "no_file" };
    if (original.objectKey === null) return { ok: false, code: "no_bytes" };
    const found = await get(original, original.objectKey);
    if (found !== null) return { ok: true, startTimeInSeconds: original.startTimeInSeconds, found };
  }
  logLine({ unit: "setback", outcome: "original_missing", partner_id: owner.partner_id, file_id: fileId });
  return { ok: false, code: "missing" };
}

const TYPES = {
  fit: { contentType: "application/vnd.ant.fit", extension: "fit" },
  gzip: { contentType: "application/gzip", extension: "gz" },
  zip: { contentType: "application/zip", extension: "zip" },
} as const satisfies Partial<Record<Container, { contentType: string; extension: string }>>;

export type OpenedObject =
  | ({ ok: true; sizeInBytes: number; body: ReadableStream } & (typeof TYPES)[keyof typeof TYPES])
  /** The bytes are not a FIT file: a web page that a host returned, for example. */
  | { ok: false };

/** Opens the object as a stream, with its type by its first bytes. Returns null when R2 does not have it. */
export async function openObject(
  files: R2Bucket,
  { isImported }: StoredOriginal,
  objectKey: string,
): Promise<OpenedObject | null> {
  const head = await files.get(objectKey, { range: { offset: 0, length: FILE_HEAD_BYTES } });
  if (head === null) return null;
  const bytes = new Uint8Array(await head.arrayBuffer());
  const container = containerOf(bytes);
  if (container === null || container === "empty_zip" || !(await beginsLikeFitFile(bytes))) {
    return { ok: false };
  }
  // The content of a zip is known only after its import. It may be a web page or an office document.
  if (container === "zip" && !isImported) return { ok: false };
  const object = await files.get(objectKey);
  return object === null
    ? null
    : { ok: true, sizeInBytes: object.size, body: object.body, ...TYPES[container] };
}
