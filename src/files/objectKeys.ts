import { userHash } from "../identifiers.ts";

/** Where the bytes of a downloaded version lie. */
export function versionKey(partnerId: string, userId: string, fileId: string, version: number): string {
  return `${partnerId}/${userHash(partnerId, userId)}/${fileId}/${version}`;
}

/**
 * Where bytes that came with a ping lie. The hour comes first, so that those which no ping names in the end
 * are found by listing one hour. The partner and the file follow: they lead to the collector to ask.
 */
export function inlineKey(partnerId: string, fileId: string, uniqueId: string, nowMs: number): string {
  return `${INLINE_PREFIX}${hourOf(nowMs)}/${partnerId}/${fileId}/${uniqueId}`;
}

export const INLINE_PREFIX = "inline/";

/** `2026-11-25T01` */
export function hourOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 13);
}

/** Keys that one R2 delete takes. */
const DELETE_LIMIT = 1_000;

/** Deletes objects, however many; those that are not there are no fault. */
export async function deleteObjects(files: R2Bucket, keys: readonly string[]): Promise<void> {
  const distinct = [...new Set(keys)];
  for (let start = 0; start < distinct.length; start += DELETE_LIMIT) {
    await files.delete(distinct.slice(start, start + DELETE_LIMIT));
  }
}
