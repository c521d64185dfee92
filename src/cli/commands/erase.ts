import { readFile } from "node:fs/promises";
import { z } from "zod";
import { ALL_ERASED, ALL_USERS, erasedAgain, erasedSchema, usersSchema } from "../../erasure/again.ts";
import { BEGIN_ERASURE, ERASE_AGAIN, erasureValues } from "../../erasure/begin.ts";
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
import { databaseAt } from "../databases.ts";
import { clockInterval, TARGET_FLAGS, readTarget } from "../target.ts";

const USAGE = `npm run erase -- <partner_id> <user_id> [--local [--state DIR] | --remote [--env staging]]
  Erases a person's data without the partner's key: what DELETE /api/users/{user_id}/ does, by the service's clock.
npm run erase -- --again FILE …
  Erases again whom a restored database has brought back; FILE holds what wrangler d1 execute --json has printed of
  "${ALL_ERASED}" before the restoration.`;

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
  const idFault = again === undefined ? partnerIdFault(partnerId) : null;
  if (idFault !== null) return idFault;
  const target = readTarget(flags.values);
  if (!target.ok) return target;
  const saved = again === undefined ? null : await readSaved(again);
  if (saved !== null && !saved.ok) return saved;

  const database = await databaseAt(target);
  if (!database.ok) return database;
  try {
    if (saved === null) {
      const user = { user_id: userId, user_hash: userHash(partnerId, userId) };
      const begun = await database.run(BEGIN_ERASURE, ...erasureValues(partnerId, user, Date.now()));
      if (begun.length === 0) return refuse(`${partnerId} has no user of this id.`);
    } else {
      const restored = erasedSchema.parse(await database.run(ALL_ERASED));
      const users = usersSchema.parse(await database.run(ALL_USERS));
      const back = erasedAgain(saved.rows, restored, users);
      for (const { partner_id, before_version, ...user } of back) {
        await database.run(ERASE_AGAIN, ...erasureValues(partner_id, user, before_version));
      }
      console.log(`Users that had come back: ${back.length}.`);
      if (back.length === 0) return null;
    }
    console.log(
      `Begun: nothing older is taken or written any more. The service's clock, which looks every ${clockInterval(target)}, erases the rest, and looks once more after 20 minutes.`,
    );
    return null;
  } catch (fault) {
    return refusalOf(fault);
  } finally {
    await database.close();
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
        ? `${file} is not what wrangler d1 execute --json has printed of the erased.`
        : `${file} cannot be read (${code}).`,
    );
  }
}

const refusal = await main();
if (refusal !== null) exitWith(refusal);
