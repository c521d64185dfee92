import { collectorOfId } from "../collector/client.ts";
import { databaseFor, type Owner } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { isId } from "../identifiers.ts";
import { readStoredVersion } from "./read.ts";
import { deleteFiles } from "./removals/write.ts";

/**
 * Deletes a file with its activities and bytes. After the return, nothing returns it, and work in flight writes nothing
 * back. Returns false for an unknown file. Throws when its collector cannot be reached, and nothing is deleted, or when
 * the database cannot be reached: then the collector completes the deletion later.
 */
export async function deleteFile(env: Env, owner: Owner, fileId: string): Promise<boolean> {
  if (!isId(fileId)) return false;
  const partnerId = owner.partner_id;
  if (await collectorOfId(env, partnerId, fileId).deleteFile(fileId)) return true;
  // A restored database may have a file that its collector has deleted.
  const version = await readStoredVersion(env, owner, fileId);
  if (version === null) return false;
  const database = databaseFor(env, owner);
  await database.batch(deleteFiles(database, partnerId, [{ file_id: fileId, version }]));
  return true;
}
