import { chunksOf } from "../concurrency/chunksOf.ts";
import { userHash } from "../identifiers.ts";

/** Returns the key of the object that holds a downloaded version. */
export function versionKey(partnerId: string, userId: string, fileId: string, version: number): string {
  return versionKeyPrefix(partnerId, userId, fileId) + version;
}

/** Returns the beginning of the keys of all downloaded versions of a file. The version follows. */
export function versionKeyPrefix(partnerId: string, userId: string, fileId: string): string {
  return `${partnerId}/${userHash(partnerId, userId)}/${fileId}/`;
}

/**
 * Returns the key of the object that holds bytes sent in a ping. The hour comes first: a sweep lists the keys up to an hour
 * to find objects that no accepted ping names. The partner and the file follow: they identify the collector.
 */
export function inlineKey(partnerId: string, fileId: string, uniqueId: string, nowMs: number): string {
  return inlineKeyPrefix(partnerId, fileId, nowMs) + uniqueId;
}

/** Returns the beginning of the keys of a file's bytes from pings of one hour. A unique id follows. */
export function inlineKeyPrefix(partnerId: string, fileId: string, nowMs: number): string {
  return `${INLINE_PREFIX}${hourOf(nowMs)}/${partnerId}/${fileId}/`;
}

/** Returns the parts of an `inlineKey`, or of its beginning. Missing parts are empty. */
export function inlineKeyParts(key: string): { hour: string; partner_id: string; file_id: string } {
  const [hour = "", partner_id = "", file_id = ""] = key.slice(INLINE_PREFIX.length).split("/");
  return { hour, partner_id, file_id };
}

export const INLINE_PREFIX = "inline/";

/** `2026-11-25T01` */
export function hourOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 13);
}

/** Maximum number of keys in one R2 delete. */
const DELETE_LIMIT = 1_000;

/** Deletes any number of objects. Keys without an object are ignored. */
export async function deleteObjects(files: R2Bucket, keys: readonly string[]): Promise<void> {
  for (const chunk of chunksOf([...new Set(keys)], DELETE_LIMIT)) await files.delete(chunk);
}
