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
import { databasesAt, type Database } from "../databases.ts";
import { registryAt } from "../registries.ts";
import { TARGET_FLAGS, readTarget, type Target } from "../target.ts";
import { restoreBackup, writeBackup } from "./backup.ts";
import { exportPartner } from "./exportPartner.ts";
import { openSource, type Source } from "./source.ts";

const USAGE = `Usage: npm run partner -- export <partner_id> --to DIR [--user USER_ID] …
       npm run partner -- backup <file> …
       npm run partner -- restore <file> [--with-removed] …`;

/** Commands of `npm run partner` that copy data out of the service or back. */
export const COPY_COMMANDS: readonly string[] = ["export", "backup", "restore"];

/** Runs `export`, `backup` or `restore` with its arguments. */
export async function runCopyCommand(args: string[]): Promise<Refusal | null> {
  const flags = readFlags({
    args,
    options: {
      to: { type: "string" },
      user: { type: "string" },
      "with-removed": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      ...TARGET_FLAGS,
    },
    allowPositionals: true,
  });
  if (!flags.ok) return flags;
  const { to, user, json, "with-removed": withRemoved } = flags.values;
  const [name, subject, ...rest] = flags.positionals;
  const isExport = name === "export";
  if (
    subject === undefined ||
    rest.length > 0 ||
    isExport !== (to !== undefined) ||
    (user !== undefined && !isExport) ||
    (withRemoved && name !== "restore")
  ) {
    return misuse(USAGE);
  }
  const invalidId = isExport ? partnerIdFault(subject) : null;
  if (invalidId !== null) return invalidId;
  const target = readTarget(flags.values);
  if (!target.ok) return target;
  const print = (text: string, value: unknown) => console.log(json ? JSON.stringify(value) : text);
  try {
    if (name === "restore") return await restore(target, subject, withRemoved, print);
    const source = await openSource(target);
    if (!source.ok) return source;
    try {
      return to === undefined
        ? await backup(source, subject, print)
        : await exportTo(source, { partnerId: subject, userId: user ?? null, to }, print);
    } finally {
      source.close();
    }
  } catch (fault) {
    const code = systemCode(fault);
    return code === null ? refusalOf(fault) : unwritableFolder(to ?? subject, code);
  }
}

type Print = (text: string, value: unknown) => void;

async function backup(source: Source, file: string, print: Print): Promise<null> {
  const partners = await writeBackup(source, path.resolve(file));
  print(`Wrote ${partners} partners to ${file}. It contains webhook secrets: keep it safe.`, { partners });
  return null;
}

interface ExportRequest {
  partnerId: string;
  userId: string | null;
  to: string;
}

async function exportTo(
  source: Source,
  { partnerId, userId, to }: ExportRequest,
  print: Print,
): Promise<Refusal | null> {
  const partner = await source.readPartner(partnerId);
  if (partner === null) {
    return refuse(`No partner ${partnerId} exists. npm run partner -- list shows all of them.`);
  }
  const found = await source.database(partner.database);
  if (!found.ok) return found;
  if (userId !== null && !(await hasUser(found.database, partnerId, userId))) {
    return refuse(`The partner ${partnerId} has no user ${JSON.stringify(userId)}. Nothing was written.`);
  }
  const exported = await exportPartner(found.database, source, partner, userId, path.resolve(to));
  const { rows, originals, kept, damaged } = exported;
  const counts = Object.entries(rows).map(([list, count]) => `${count} ${list}`);
  print(`Wrote ${counts.join(", ")} and ${originals} originals (${kept} were complete) to ${to}.`, exported);
  return damaged.length === 0
    ? null
    : refuse(
        `The bytes of ${damaged.length} files are missing or damaged: ${damaged.slice(0, 10).join(", ")}.`,
      );
}

/** Returns whether the database lists the user, as it does from the first ping until the erasure. */
async function hasUser(database: Pick<Database, "run">, partnerId: string, userId: string): Promise<boolean> {
  const sql = "SELECT 1 FROM users WHERE partner_id = ?1 AND user_id = ?2";
  return (await database.run(sql, partnerId, userId)).length > 0;
}

async function restore(
  target: Target,
  file: string,
  withRemoved: boolean,
  print: Print,
): Promise<Refusal | null> {
  const registry = registryAt(target);
  try {
    const databases = await databasesAt(target);
    if (!databases.ok) return databases;
    try {
      const done = await restoreBackup(registry, databases.all, path.resolve(file), withRemoved);
      if (!done.ok) return done;
      const { restored, present, removed } = done;
      const lines = [
        `Restored ${restored.length} partners. ${present.length} existed and stay as they are.`,
        ...removed.map(
          ({ partner_id, removed_at }) => `Skipped ${partner_id}: it was removed at ${removed_at}.`,
        ),
      ];
      if (removed.length > 0) {
        lines.push("--with-removed restores them, too: keys and settings, without the deleted data.");
      }
      print(lines.join("\n"), { restored, present, removed });
      return null;
    } finally {
      await databases.close();
    }
  } finally {
    await registry.close();
  }
}
