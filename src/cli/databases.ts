import { z } from "zod";
import { DATABASE_NAME, type NamedDatabase } from "../database/databases.ts";
import { cloudflareFor, type Cloudflare } from "./cloudflare.ts";
import { refusalOf, refuse, unusedState, type Refusal } from "./commandLine.ts";
import { hasLocalStores, openLocalStores, retryWhileLocked } from "./localState.ts";
import type { Target } from "./target.ts";
import { RemoteFault } from "./wrangler.ts";

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
  if (!target.remote) return localDatabases(target.state);
  try {
    return await remoteDatabases(cloudflareFor(target.environment));
  } catch (fault) {
    return refusalOf(fault);
  }
}

/** Opens the databases as `databasesAt` does, also those of a state folder without a service. They may have no tables. */
export async function emptyDatabasesAt(target: Target): Promise<OpenDatabases | Refusal> {
  return target.remote ? databasesAt(target) : openLocalDatabases(target.state);
}

/** Opens the databases of a state folder that a service has used. A service may be running on it. */
export async function localDatabases(state: string): Promise<OpenDatabases | Refusal> {
  const unused = unusedState(state);
  if (!hasLocalStores(state)) return unused;
  const databases = await openLocalDatabases(state);
  if (!databases.ok) return databases;
  try {
    const migrated = await Promise.all(databases.all.map(async (database) => database.run(FIND_MIGRATIONS)));
    const empty = databases.all.filter((_database, index) => migrated[index]?.length === 0);
    if (empty.length === 0) return databases;
    await databases.close();
    return empty.length === databases.all.length
      ? unused
      : refuse(
          `${empty.map(({ name }) => name).join(" and ")} in the state folder ${state} has no tables. Start the service again, which creates them. If a file was lost, then write its rows anew with npm run project-again.`,
        );
  } catch (fault) {
    await databases.close();
    return refusalOf(fault);
  }
}

async function openLocalDatabases(state: string): Promise<OpenDatabases | Refusal> {
  const stores = await openLocalStores(state);
  if (!stores.ok) return stores;
  return { ok: true, all: databasesOf(stores.databases), close: async () => stores.close() };
}

/** Returns the databases of an opened state folder. */
export function databasesOf(opened: readonly NamedDatabase[]): Database[] {
  return opened.map(({ name, database }) => ({
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
}

/** Returns no row for a database without tables: a partner was created in the folder, but no service has started. */
const FIND_MIGRATIONS = "SELECT 1 FROM sqlite_master WHERE name = 'd1_migrations'";

const answersSchema = z.tuple([
  z.object({ results: z.array(z.unknown()), meta: z.object({ size_after: z.number() }) }),
]);

/** Opens the databases of the deployed Worker through Cloudflare's REST API. */
export async function remoteDatabases(cloudflare: Cloudflare): Promise<OpenDatabases> {
  const query = async (id: string, sql: string, values: readonly (string | number)[]) => {
    const path = `/d1/database/${id}/query`;
    const answer = await cloudflare.result("POST", path, { body: boundStatement(sql, values) });
    const parsed = answersSchema.safeParse(answer);
    if (!parsed.success) throw new RemoteFault("Cloudflare's API returned an unknown answer of a database.");
    return parsed.data[0];
  };
  const bound = (await cloudflare.bindings("d1")).map((binding) => {
    const { name, id, database_id = id } = bindingSchema.parse(binding);
    return { name, id: database_id ?? "" };
  });
  const numberOf = (name: string) => Number(name.slice("DB_".length));
  return {
    ok: true,
    all: bound
      .filter(({ name }) => DATABASE_NAME.test(name))
      .sort((a, b) => numberOf(a.name) - numberOf(b.name))
      .map(({ name, id }) => ({
        name,
        run: async (sql, ...values) => (await query(id, sql, values)).results,
        size: async () => (await query(id, "SELECT 1", [])).meta.size_after,
      })),
    close: async () => {},
  };
}

const bindingSchema = z.object({
  name: z.string(),
  id: z.string().optional(),
  database_id: z.string().optional(),
});

/** Returns the statement with numbers as they are, and texts as parameters: the API's parameters are texts. */
export function boundStatement(
  sql: string,
  values: readonly (string | number)[],
): { sql: string; params: string[] } {
  const params: string[] = [];
  const bound = sql.replaceAll(/\?(\d+)/g, (parameter, number: string) => {
    const value = values[Number(number) - 1];
    if (value === undefined) return parameter;
    if (typeof value === "number") return String(value);
    params.push(value);
    return "?";
  });
  return { sql: bound, params };
}
