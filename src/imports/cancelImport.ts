import { collectorOfId } from "../collector/client.ts";
import { databaseFor } from "../database/databases.ts";
import type { Env } from "../env.ts";
import { isId } from "../identifiers.ts";
import { faultName, logLine } from "../log.ts";
import type { Partner } from "../partners/partner.ts";
import type { Import } from "./import.ts";
import { importOfProjection, readImport } from "./read.ts";
import { projectImports, type ImportProjection } from "./write.ts";

/**
 * Cancels a running import. `is_cancelled` is false when it had completed before. Null for an unknown import. Works
 * without D1, because the collector decides. Throws when the collector cannot be reached; the caller may repeat it.
 */
export async function cancelImport(
  env: Env,
  partner: Pick<Partner, "partner_id" | "database" | "event_url">,
  importId: string,
): Promise<{ is_cancelled: boolean; import: Import } | null> {
  if (!isId(importId)) return null;
  const found = await collectorOfId(env, partner.partner_id, importId).cancelImport(importId);
  if (found === null) return settledImport(env, partner, importId);
  const { is_cancelled, import: row } = found;
  try {
    await projectNow(env, partner, row);
    const read = await readImport(env, partner, importId);
    return read === null ? null : { is_cancelled, import: read };
  } catch (fault) {
    const { partner_id } = partner;
    const name = faultName(fault);
    logLine({ unit: "setback", outcome: "projected_later", partner_id, import_id: importId, fault: name });
    return { is_cancelled, import: importOfProjection(partner, row) };
  }
}

/** Returns an old import, which its collector does not store any more. */
async function settledImport(
  env: Env,
  partner: Pick<Partner, "partner_id" | "database" | "event_url">,
  importId: string,
): Promise<{ is_cancelled: boolean; import: Import } | null> {
  const read = await readImport(env, partner, importId);
  if (read === null || read.completed_at === null) return null;
  return { is_cancelled: read.status === "cancelled", import: read };
}

/** Writes the cancellation to the read model. The collector writes the completion, together with the event. */
async function projectNow(
  env: Env,
  partner: Pick<Partner, "partner_id" | "database">,
  row: ImportProjection,
): Promise<void> {
  if (row.completed_at !== null) return;
  const database = databaseFor(env, partner);
  await database.batch(projectImports(database, partner.partner_id, [row]));
}
