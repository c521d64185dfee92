import { env } from "cloudflare:workers";
import type { Owner } from "../../src/database/databases.ts";

const NAMES = ["DB", "DB_2"] as const;

type Named = string | { partnerId: string } | { partner_id: string };

function idOf(who: Named): string {
  if (typeof who === "string") return who;
  return "partnerId" in who ? who.partnerId : who.partner_id;
}

/** Returns the partner with its database. The id decides which one, so every helper finds the same one. */
export function ownerOf(who: Named): Owner & { database: (typeof NAMES)[number] } {
  const partner_id = idOf(who);
  const sum = Array.from(partner_id, (character) => character.charCodeAt(0)).reduce(
    (total, code) => total + code,
    0,
  );
  return { partner_id, database: NAMES[sum % 2] ?? "DB" };
}

/** Returns the database with the rows of a partner. */
export function databaseOf(who: Named): D1Database {
  const database = env[ownerOf(who).database];
  if (database === undefined) throw new Error("wrangler.toml declares DB and DB_2");
  return database;
}

/** Returns an id that belongs to the first database at one call and to the second one at the next. */
let turn = 0;
export function byTurns(newId: () => string): string {
  turn += 1;
  for (;;) {
    const id = newId();
    if (ownerOf(id).database === NAMES[turn % 2]) return id;
  }
}
