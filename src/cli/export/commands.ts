import path from "node:path";
import {
  misuse,
  partnerIdFault,
  readFlags,
  refusalOf,
  refuse,
  systemCode,
  unwritableFolder,
  type Refusal,
} from "../commandLine.ts";
import { databaseNamed, databasesAt } from "../databases.ts";
import { registryAt } from "../registries.ts";
import { storedBytesAt } from "../storedBytes.ts";
import { TARGET_FLAGS, readTarget } from "../target.ts";
import { restoreBackup, writeBackup } from "./backup.ts";
import { exportPartner } from "./exportPartner.ts";

const USAGE = `Usage: npm run partner -- export <partner_id> --to DIR [--user USER_ID] …
       npm run partner -- backup <file> …
       npm run partner -- restore <file> …`;

/** Commands of `npm run partner` that copy data out of the service or back. */
export const COPY_COMMANDS: readonly string[] = ["export", "backup", "restore"];

/** Runs `export`, `backup` or `restore` with its arguments. */
export async function runCopyCommand(args: string[]): Promise<Refusal | null> {
  const flags = readFlags({
    args,
    options: {
      to: { type: "string" },
      user: { type: "string" },
      json: { type: "boolean", default: false },
      ...TARGET_FLAGS,
    },
    allowPositionals: true,
  });
  if (!flags.ok) return flags;
  const { to, user, json } = flags.values;
  const [name, subject, ...rest] = flags.positionals;
  const isExport = name === "export";
  if (
    subject === undefined ||
    rest.length > 0 ||
    isExport !== (to !== undefined) ||
    (user !== undefined && !isExport)
  ) {
    return misuse(USAGE);
  }
  const invalidId = isExport ? partnerIdFault(subject) : null;
  if (invalidId !== null) return invalidId;
  const target = readTarget(flags.values);
  if (!target.ok) return target;
  const registry = await registryAt(target);
  if (!registry.ok) return registry;
  const print = (text: string, value: unknown) => console.log(json ? JSON.stringify(value) : text);
  try {
    if (name === "backup") {
      const partners = await writeBackup(registry, path.resolve(subject));
      print(`Wrote ${partners} partners to ${subject}. It contains webhook secrets: keep it safe.`, {
        partners,
      });
      return null;
    }
    const partner = isExport ? await registry.read(subject) : null;
    if (isExport && partner === null) {
      return refuse(`No partner ${subject} exists. npm run partner -- list shows all of them.`);
    }
    const databases = await databasesAt(target);
    if (!databases.ok) return databases;
    try {
      if (partner === null || to === undefined) {
        const restored = await restoreBackup(registry, databases.all, path.resolve(subject));
        if (!restored.ok) return restored;
        print(
          `Restored ${restored.restored.length} partners. ${restored.present.length} existed and stay as they are.`,
          { restored: restored.restored, present: restored.present },
        );
        return null;
      }
      const found = databaseNamed(databases, partner.database);
      if (!found.ok) return found;
      const bytes = await storedBytesAt(target);
      if (!bytes.ok) return bytes;
      try {
        const exported = await exportPartner(found.database, bytes, partner, user ?? null, path.resolve(to));
        const { rows, originals, kept, damaged } = exported;
        const counts = Object.entries(rows).map(([list, count]) => `${count} ${list}`);
        print(
          `Wrote ${counts.join(", ")} and ${originals} originals (${kept} were complete) to ${to}.`,
          exported,
        );
        return damaged.length === 0
          ? null
          : refuse(
              `The bytes of ${damaged.length} files are missing or damaged: ${damaged.slice(0, 10).join(", ")}.`,
            );
      } finally {
        await bytes.close();
      }
    } finally {
      await databases.close();
    }
  } catch (fault) {
    const code = systemCode(fault);
    return code === null ? refusalOf(fault) : unwritableFolder(to ?? subject, code);
  } finally {
    await registry.close();
  }
}
