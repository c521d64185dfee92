import { readFile, rename, writeFile } from "node:fs/promises";
import { z } from "zod";
import { instantOf } from "../../database/rows.ts";
import { partnerSchema } from "../../partners/partner.ts";
import { refuse, systemCode, type Refusal } from "../commandLine.ts";
import type { Database } from "../databases.ts";
import type { Registry } from "../registries.ts";
import type { Source } from "./source.ts";
import { databaseWithRowsOf, forgetRemoval, readRemovals } from "../removedPartners.ts";

const backupSchema = z.object({ partners: z.array(partnerSchema) });

/** Writes all partners, with the digests of their keys and their webhook secrets, to a file that only this user can read. */
export async function writeBackup(source: Pick<Source, "listPartners">, file: string): Promise<number> {
  const partners = await source.listPartners();
  const draft = `${file}.part`;
  await writeFile(draft, `${JSON.stringify({ partners }, null, 2)}\n`, { mode: 0o600 });
  await rename(draft, file);
  return partners.length;
}

export interface RestoredBackup {
  ok: true;
  restored: string[];
  /** Partners that the registry has. Their settings stay. */
  present: string[];
  /** Partners that were removed after the backup, with the time. They are not restored. */
  removed: { partner_id: string; removed_at: string }[];
}

/**
 * Writes the partners that the registry lacks: those with settings in a database, which may be newer than the backup, so
 * that no revoked key returns, then the others of the backup. Skips partners of the backup that have been removed since
 * they were created, unless `withRemoved`. The service publishes the usage of partners again.
 */
export async function restoreBackup(
  registry: Registry,
  databases: readonly Database[],
  file: string,
  withRemoved: boolean,
): Promise<RestoredBackup | Refusal> {
  const backup = await readBackup(file);
  if (!backup.ok) return backup;
  const known = new Set((await registry.list()).map(({ partner_id }) => partner_id));
  const removals = await readRemovals(databases);
  const done: RestoredBackup = { ok: true, restored: [], present: [], removed: [] };
  const stored = await registry.listStored();
  const storedIds = new Set(stored.map(({ partner_id }) => partner_id));
  for (const partner of stored.filter(({ partner_id }) => !known.has(partner_id))) {
    const published = await registry.change(partner, (newest) => ({ ok: true, partner: newest }));
    if (!published.ok) return published;
    done.restored.push(partner.partner_id);
  }
  for (const partner of backup.partners) {
    const { partner_id, created_at } = partner;
    if (storedIds.has(partner_id) && !known.has(partner_id)) continue;
    const removedAt = removals.get(partner_id) ?? 0;
    // The id of a removed partner can be created again.
    const isRemoved = removedAt >= Date.parse(created_at);
    if (known.has(partner_id)) done.present.push(partner_id);
    else if (isRemoved && !withRemoved) {
      done.removed.push({ partner_id, removed_at: instantOf(removedAt) });
    } else {
      const home = isRemoved ? await databaseWithRowsOf(databases, partner_id) : null;
      const settings = { ...partner, database: home ?? partner.database };
      const restored = await registry.change(settings, () => ({ ok: true, partner: settings }));
      if (!restored.ok) return restored;
      if (isRemoved) await forgetRemoval(databases, partner_id);
      done.restored.push(partner_id);
    }
  }
  for (const database of databases) await database.run(PUBLISH_ALL);
  return done;
}

/** The registry also has the usage of partners, which the clock publishes when it is due. */
const PUBLISH_ALL = "UPDATE partner_usage SET due_since = unixepoch() * 1000 WHERE due_since IS NULL";

async function readBackup(file: string): Promise<({ ok: true } & z.infer<typeof backupSchema>) | Refusal> {
  try {
    return { ok: true, ...backupSchema.parse(JSON.parse(await readFile(file, "utf8"))) };
  } catch (fault) {
    const code = systemCode(fault);
    return refuse(
      code === null
        ? `${file} is not a file of npm run partner -- backup.`
        : `Cannot read ${file} (${code}).`,
    );
  }
}
