import { collectorOfId } from "../collector/client.ts";
import { databaseFor, type Owner } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { isId } from "../identifiers.ts";
import { faultName, logLine } from "../log.ts";
import type { EditChange } from "./edits.pure.ts";
import { projectEdits } from "./write.ts";

/**
 * Edits a file, or one of its activities, in its collector, then in the read model, so that reads after the response
 * return the edit. The collector's alarm repeats a failed write to the read model. Returns false for an unknown file.
 */
export async function editFile(env: Env, owner: Owner, fileId: string, change: EditChange): Promise<boolean> {
  const { partner_id } = owner;
  if (!isId(fileId)) return false;
  const edited = await collectorOfId(env, partner_id, fileId).editFile(fileId, change);
  if (edited === null) return false;
  const database = databaseFor(env, owner);
  const statements = projectEdits(database, partner_id, [edited]);
  try {
    if (statements.length > 0) await database.batch(statements);
  } catch (fault) {
    logLine({
      unit: "setback",
      outcome: "edited_later",
      partner_id,
      file_id: fileId,
      fault: faultName(fault),
    });
  }
  return true;
}
