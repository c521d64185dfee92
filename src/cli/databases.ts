import { z } from "zod";
import { refusalOf, refuse, type Refusal } from "./commandLine.ts";
import { databaseNamesOf } from "./deployment/settings.ts";
import { hasLocalStores, openLocalStores, retryWhileLocked } from "./localState.ts";
import type { Target } from "./target.ts";
import { parsePrinted, wranglerFor, type RunWrangler } from "./wrangler.ts";

/** One D1 database, local or deployed. */
export interface Database {
  /** Its binding, such as `DB_2`. */
  name: string;
  /**
   * Runs one statement and returns its rows. The statement must be safe to repeat. Its parameters are numbered from
   * `?1`. Throws a CommandFault.
   */
  run(sql: string, ...values: readonly (string | number)[]): Promise<unknown[]>;
  /** Returns the size of the database in bytes. */
  size(): Promise<number>;
}

/** All databases of one service, in the order of their numbers. */
export interface OpenDatabases {
  ok: true;
  all: Database[];
  close(): Promise<void>;
}

/** Returns the database with the name of a binding. */
export function databaseNamed(
  databases: OpenDatabases,
  name: string,
): { ok: true; database: Database } | Refusal {
  const database = databases.all.find((known) => known.name === name);
  return database === undefined
    ? refuse(`wrangler.toml does not declare the database ${name}.`)
    : { ok: true, database };
}

export async function databasesAt(target: Target): Promise<OpenDatabases | Refusal> {
  return target.remote
    ? remoteDatabases(wranglerFor(target.environment), databaseNamesOf(target.environment))
    : localDatabases(target.state);
}

/** Opens the databases as `databasesAt` does, also those of a state folder without a service. They may have no tables. */
export async function emptyDatabasesAt(target: Target): Promise<OpenDatabases | Refusal> {
  return target.remote ? databasesAt(target) : openLocalDatabases(target.state);
}

/** Opens the databases of a state folder that a service has used. A service may be running on it. */
export async function localDatabases(state: string): Promise<OpenDatabases | Refusal> {
  const unused = refuse(
    `No service has used the state folder ${state}. Start one with npm start -- --state, or choose another folder with --state.`,
  );
  if (!hasLocalStores(state)) return unused;
  const databases = await openLocalDatabases(state);
  if (!databases.ok) return databases;
  try {
    const migrated = await Promise.all(databases.all.map(async (database) => database.run(FIND_MIGRATIONS)));
    if (migrated.every((rows) => rows.length > 0)) return databases;
    await databases.close();
    return unused;
  } catch (fault) {
    await databases.close();
    return refusalOf(fault);
  }
}

async function openLocalDatabases(state: string): Promise<OpenDatabases | Refusal> {
  const stores = await openLocalStores(state);
  if (!stores.ok) return stores;
  const all = stores.databases.map(({ name, database }): Database => ({
    name,
    run: async (sql, ...values) => {
      const statement = database.prepare(sql).bind(...values);
      return (await retryWhileLocked(async () => statement.all())).results;
    },
    size: async () => {
      const { meta } = await retryWhileLocked(async () => database.prepare("SELECT 1").all());
      return meta.size_after;
    },
  }));
  return { ok: true, all, close: async () => stores.close() };
}

/** Returns no row for a database without tables: a partner was created in the folder, but no service has started. */
const FIND_MIGRATIONS = "SELECT 1 FROM sqlite_master WHERE name = 'd1_migrations'";

const sizeSchema = z.tuple([z.object({ meta: z.object({ size_after: z.number() }) })]);
const resultsSchema = z.tuple([z.object({ results: z.array(z.unknown()) })]);

/** Opens deployed databases through `wrangler d1 execute`, which has no bindings: values are quoted in the SQL. */
export function remoteDatabases(wrangler: RunWrangler, names: readonly string[]): OpenDatabases {
  return {
    ok: true,
    all: names.map((name) => ({
      name,
      run: async (sql, ...values) => {
        const command = inlineValues(sql, values);
        const printed = await wrangler(["d1", "execute", name, "--remote", "--json", "--command", command]);
        return parsePrinted(resultsSchema, printed)[0].results;
      },
      size: async () => {
        const printed = await wrangler([
          "d1",
          "execute",
          name,
          "--remote",
          "--json",
          "--command",
          "SELECT 1",
        ]);
        return parsePrinted(sizeSchema, printed)[0].meta.size_after;
      },
    })),
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
