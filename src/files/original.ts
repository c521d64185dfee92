import type { Env } from "../env.ts";
import { readOriginal } from "./read.ts";

export type Original<T> =
  | { ok: true; startTimeInSeconds: number; found: T }
  /** No such file, or none of its bytes are stored. */
  | { ok: false; code: "no_file" | "no_bytes" };

/**
 * Finds a file's bytes with `get`. An import may replace the object between the look into the read model and
 * the one into the store, so a miss looks once more.
 */
export async function withOriginal<T>(
  env: Env,
  partnerId: string,
  fileId: string,
  get: (objectKey: string) => Promise<T | null>,
): Promise<Original<T>> {
  for (let look = 0; look < 2; look += 1) {
    const original = await readOriginal(env, partnerId, fileId);
    if (original === null) return { ok: false, code: "no_file" };
    if (original.objectKey === null) return { ok: false, code: "no_bytes" };
    const found = await get(original.objectKey);
    if (found !== null) return { ok: true, startTimeInSeconds: original.startTimeInSeconds, found };
  }
  return { ok: false, code: "no_bytes" };
}

/** Bytes that tell a FIT file from a gzip and a zip. */
const HEAD_BYTES = 4;

export interface StoredBytes {
  contentType: "application/vnd.ant.fit" | "application/gzip" | "application/zip";
  extension: "fit" | "gz" | "zip";
  sizeInBytes: number;
  body: ReadableStream;
}

/** The whole object as a stream, with its type by what it begins with. */
export async function openObject(files: R2Bucket, objectKey: string): Promise<StoredBytes | null> {
  const head = await files.get(objectKey, { range: { offset: 0, length: HEAD_BYTES } });
  if (head === null) return null;
  const [first, second] = new Uint8Array(await head.arrayBuffer());
  const object = await files.get(objectKey);
  if (object === null) return null;
  const rest = { sizeInBytes: object.size, body: object.body };
  if (first === 0x1f && second === 0x8b) return { contentType: "application/gzip", extension: "gz", ...rest };
  if (first === 0x50 && second === 0x4b) return { contentType: "application/zip", extension: "zip", ...rest };
  return { contentType: "application/vnd.ant.fit", extension: "fit", ...rest };
}
