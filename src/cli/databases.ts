import { z } from "zod";
import { refusalOf, refuse, type Refusal } from "./commandLine.ts";
import { hasLocalStores, openLocalStores, retryWhileLocked } from "./localState.ts";
import type { Target } from "./target.ts";
import { parsePrinted, wranglerFor, type RunWrangler } from "./wrangler.ts";

/** One D1 database, local or deployed. */
export interface Database {
  ok: true;
  /**
   * Runs one statement and returns its rows. The statement must be safe to repeat. Its parameters are numbered from
   * `?1`. Throws a CommandFault.
   */
  run(sql: string, ...values: readonly (string | number)[]): Promise<unknown[]>;
  close(): Promise<void>;
}

export async function databaseAt(target: Target): Promise<Database | Refusal> {
  return target.remote ? remoteDatabase(wranglerFor(target.environment)) : localDatabase(target.state);
}

/** Opens the database of a state folder that a service has used. A service may be running on it. */
export async function localDatabase(state: string): Promise<Database | Refusal> {
  const unused = refuse(
    `No service has used the state folder ${state}. Start one with npm start -- --state, or choose another folder with --state.`,
  );
  if (!hasLocalStores(state)) return unused;
  const stores = await openLocalStores(state);
  if (!stores.ok) return stores;
  const database: Database = {
    ok: true,
    run: async (sql, ...values) => {
      const statement = stores.database.prepare(sql).bind(...values);
      return (await retryWhileLocked(async () => statement.all())).results;
    },
    close: async () => stores.close(),
  };
  try {
    if ((await database.run(FIND_MIGRATIONS)).length > 0) return database;
    await database.close();
    return unused;
  } catch (fault) {
    await database.close();
    return refusalOf(fault);
  }
}

/** Returns no row for a database without tables: a partner was created in the folder, but no service has started. */
const FIND_MIGRATIONS = "SELECT 1 FROM sqlite_master WHERE name = 'd1_migrations'";

const resultsSchema = z.tuple([z.object({ results: z.array(z.unknown()) })]);

/** Opens the deployed database through `wrangler d1 execute`, which has no bindings: values are quoted in the SQL. */
export function remoteDatabase(wrangler: RunWrangler): Database {
  return {
    ok: true,
    run: async (sql, ...values) => {
      const command = inlineValues(sql, values);
      const printed = await wrangler(["d1", "execute", "DB", "--remote", "--json", "--command", command]);
      return parsePrinted(resultsSchema, printed)[0].results;
    },
    close: async () => {},
  };
}

/** Returns the statement with its parameters replaced by values: numbers as they are, text quoted for SQLite. */
export function inlineValues(sql: string, values: readonly (string | number)[]): string {
  return sql.replaceAll(/\?(\d+)/g, (parameter, number: string) => {
    const value = values[Number(number) - 1];
    if (value === undefined) return parameter;
    return typeof value === "number" ? String(value) : `'${value.replaceAll("'", "''")}'`;
  });
}
