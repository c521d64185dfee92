import { z } from "zod";
import { refusalOf, refuse, type Refusal } from "./commandLine.ts";
import { hasLocalStores, openLocalStores, whenUnlocked } from "./localState.ts";
import type { Target } from "./target.ts";
import { answered, wranglerFor, type RunWrangler } from "./wrangler.ts";

/**
 * One D1, here or deployed: runs one statement that may be repeated, and whose parameters are numbered, `?1` first.
 * Throws a CommandFault.
 */
export interface Database {
  ok: true;
  run(sql: string, ...values: readonly (string | number)[]): Promise<unknown[]>;
  close(): Promise<void>;
}

export async function databaseAt(target: Target): Promise<Database | Refusal> {
  return target.remote ? remoteDatabase(wranglerFor(target.environment)) : localDatabase(target.state);
}

/** The database of a state folder that a service has used; one may run on it meanwhile. */
export async function localDatabase(state: string): Promise<Database | Refusal> {
  const unused = refuse(`No service has run on ${state}: start one there, or name its folder with --state.`);
  if (!hasLocalStores(state)) return unused;
  const stores = await openLocalStores(state);
  if (!stores.ok) return stores;
  const database: Database = {
    ok: true,
    run: async (sql, ...values) => {
      const statement = stores.database.prepare(sql).bind(...values);
      return (await whenUnlocked(async () => statement.all())).results;
    },
    close: async () => stores.close(),
  };
  try {
    if ((await database.run(HAS_TABLES)).length > 0) return database;
    await database.close();
    return unused;
  } catch (fault) {
    await database.close();
    return refusalOf(fault);
  }
}

/** Partners are registered before a first start, too: then there is a database without tables. */
const HAS_TABLES = "SELECT 1 FROM sqlite_master WHERE name = 'd1_migrations'";

const answersSchema = z.tuple([z.object({ results: z.array(z.unknown()) })]);

/** The deployed database, through `wrangler d1 execute`, which takes no bindings: values stand in the text, quoted. */
export function remoteDatabase(wrangler: RunWrangler): Database {
  return {
    ok: true,
    run: async (sql, ...values) => {
      const command = withValues(sql, values);
      const printed = await wrangler(["d1", "execute", "DB", "--remote", "--json", "--command", command]);
      return answered(answersSchema, printed)[0].results;
    },
    close: async () => {},
  };
}

/** The statement with its values in place: numbers as they are, text as SQLite quotes it. */
export function withValues(sql: string, values: readonly (string | number)[]): string {
  return sql.replaceAll(/\?(\d+)/g, (parameter, number: string) => {
    const value = values[Number(number) - 1];
    if (value === undefined) return parameter;
    return typeof value === "number" ? String(value) : `'${value.replaceAll("'", "''")}'`;
  });
}
