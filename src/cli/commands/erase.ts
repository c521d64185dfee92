import { readFile } from "node:fs/promises";
import { z } from "zod";
import { ALL_ERASED, ALL_USERS, erasedAgain, erasedSchema, usersSchema } from "../../erasure/again.ts";
import { BEGIN_ERASURE, ERASE_AGAIN, erasureValues } from "../../erasure/begin.ts";
import { NEXT_SWEEP_AFTER_MS } from "../../erasure/write.ts";
import { userHash } from "../../identifiers.ts";
import {
  exitWith,
  misuse,
  partnerIdFault,
  readFlags,
  refusalOf,
  refuse,
  systemCode,
  type Refusal,
} from "../commandLine.ts";
import { databasesAt } from "../databases.ts";
import { clockInterval, TARGET_FLAGS, readTarget } from "../target.ts";

const USAGE = `Usage: npm run erase -- <partner_id> <user_id> [--local [--state DIR] | --remote [--env staging]]
  Erases a user, as DELETE /api/users/{user_id}/ does, but without the partner's key.
Usage: npm run erase -- --again FILE [--local [--state DIR] | --remote [--env staging]]
  Erases the users again that a restored database contains although they were erased before. FILE is the output,
  saved before the restore, of: wrangler d1 execute DB --json --command "${ALL_ERASED}"`;

async function main(): Promise<Refusal | null> {
  const flags = readFlags({
    options: {
      again: { type: "string" },
      ...TARGET_FLAGS,
    },
    allowPositionals: true,
  });
  if (!flags.ok) return flags;
  const { again } = flags.values;
  const [partnerId = "", userId = ""] = flags.positionals;
  if (flags.positionals.length !== (again === undefined ? 2 : 0)) return misuse(USAGE);
  const invalidId = again === undefined ? partnerIdFault(partnerId) : null;
  if (invalidId !== null) return invalidId;
  const target = readTarget(flags.values);
  if (!target.ok) return target;
  const saved = again === undefined ? null : await readSaved(again);
  if (saved !== null && !saved.ok) return saved;

  const databases = await databasesAt(target);
  if (!databases.ok) return databases;
  try {
    if (saved === null) {
      const user = { user_id: userId, user_hash: userHash(partnerId, userId) };
      // Only the partner's database knows the user. The others change nothing.
      let started = 0;
      for (const database of databases.all) {
        started += (await database.run(BEGIN_ERASURE, ...erasureValues(partnerId, user, Date.now()))).length;
      }
      if (started === 0)
        return refuse(
          `The partner ${partnerId} has no user ${JSON.stringify(userId)}. Check both ids, and --local, --remote and --env.`,
        );
    } else {
      let found = 0;
      for (const database of databases.all) {
        const restored = erasedSchema.parse(await database.run(ALL_ERASED));
        const users = usersSchema.parse(await database.run(ALL_USERS));
        const toErase = erasedAgain(saved.rows, restored, users);
        for (const { partner_id, before_version, ...user } of toErase) {
          await database.run(ERASE_AGAIN, ...erasureValues(partner_id, user, before_version));
        }
        found += toErase.length;
      }
      console.log(`Erased users in the restored database: ${found}.`);
      if (found === 0) return null;
    }
    console.log(
      `Erasure started. The service now rejects older data of the user. Its clock deletes the stored data in runs, every ${clockInterval(target)}, and searches again ${NEXT_SWEEP_AFTER_MS / 60_000} minutes later.`,
    );
    return null;
  } catch (fault) {
    return refusalOf(fault);
  } finally {
    await databases.close();
  }
}

const savedSchema = z.tuple([z.object({ results: erasedSchema })]);

async function readSaved(file: string): Promise<{ ok: true; rows: z.infer<typeof erasedSchema> } | Refusal> {
  try {
    const [{ results }] = savedSchema.parse(JSON.parse(await readFile(file, "utf8")));
    return { ok: true, rows: results };
  } catch (fault) {
    const code = systemCode(fault);
    return refuse(
      code === null
        ? `${file} is not the output of wrangler d1 execute --json --command "${ALL_ERASED}". Save that output and try again.`
        : `Cannot read ${file} (${code}).`,
    );
  }
}

const refusal = await main();
if (refusal !== null) exitWith(refusal);
