import { readFile, rename, writeFile } from "node:fs/promises";
import { z } from "zod";
import { partnerSchema } from "../../partners/partner.ts";
import { refuse, systemCode, type Refusal } from "../commandLine.ts";
import type { Database } from "../databases.ts";
import type { Registry } from "../registries.ts";

const backupSchema = z.object({ partners: z.array(partnerSchema) });

/** Writes all partners, with the digests of their keys and their webhook secrets, to a file that only this user can read. */
export async function writeBackup(registry: Registry, file: string): Promise<number> {
  const partners = await registry.list();
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
}

/** Writes the partners of a backup that the registry lacks. The service publishes the usage of partners again. */
export async function restoreBackup(
  registry: Registry,
  databases: readonly Database[],
  file: string,
): Promise<RestoredBackup | Refusal> {
  const backup = await readBackup(file);
  if (!backup.ok) return backup;
  const known = new Set((await registry.list()).map(({ partner_id }) => partner_id));
  const lost = backup.partners.filter(({ partner_id }) => !known.has(partner_id));
  for (const partner of lost) await registry.write(partner);
  for (const database of databases) await database.run(PUBLISH_ALL);
  return {
    ok: true,
    restored: lost.map(({ partner_id }) => partner_id),
    present: backup.partners.flatMap(({ partner_id }) => (known.has(partner_id) ? [partner_id] : [])),
  };
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
