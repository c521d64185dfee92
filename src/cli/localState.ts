import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import type * as Wrangler from "wrangler";
import { namedDatabases, type Databases, type NamedDatabase } from "../database/databases.ts";
import { CommandFault, refuse, ROOT, systemCode, type Refusal } from "./commandLine.ts";
import { REGISTRY_VARIABLE, registryFolder } from "./runtimeProcesses.ts";
import { unwritableState } from "./stateLock.ts";

/** KV and D1 of a state folder, opened outside the service. A service may be running on the folder. */
export interface LocalStores {
  ok: true;
  partners: KVNamespace;
  databases: NamedDatabase[];
  close(): Promise<void>;
}

/** Imports wrangler, configured to write only to the state folder and to use no network. */
export async function loadWrangler(state: string): Promise<typeof Wrangler> {
  Object.assign(process.env, {
    XDG_CONFIG_HOME: path.join(state, "wrangler"),
    [REGISTRY_VARIABLE]: registryFolder(state),
    // The commands print their own messages, and the service has its own log.
    WRANGLER_LOG: "none",
    WRANGLER_WRITE_LOGS: "false",
    WRANGLER_SEND_METRICS: "false",
    // Wrangler would fetch the data of `request.cf` from the network.
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
    X_LOCAL_EXPLORER: "false",
    X_LOCAL_OBSERVABILITY: "false",
  });
  return import("wrangler");
}

/** Returns the path of the wrangler configuration that opens the stores. Every command that opens them writes it. */
function configurationPath(state: string): string {
  return path.join(state, "stores.json");
}

/** Returns whether the stores of this state folder have been opened before. */
export function hasLocalStores(state: string): boolean {
  return existsSync(configurationPath(state));
}

/** Another process that opens or closes a database locks it for a few milliseconds. */
const TRIES_WHILE_LOCKED = 20;
const WAIT_WHILE_LOCKED_MS = 250;

/** Retries an operation that fails because a service or another command has locked the store. Throws a CommandFault. */
export async function retryWhileLocked<T>(operation: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await operation();
    } catch (cause) {
      if (tries === TRIES_WHILE_LOCKED) {
        throw new CommandFault(
          "Cannot open the local stores. Another program has locked them, or another version created them. Stop other commands and try again, or choose another folder with --state.",
          { cause },
        );
      }
      await new Promise((resolve) => {
        setTimeout(resolve, WAIT_WHILE_LOCKED_MS);
      });
    }
  }
}

/** Opens KV and D1 of a state folder. Creates the folder if it is missing. */
export async function openLocalStores(state: string): Promise<LocalStores | Refusal> {
  const configuration = configurationPath(state);
  const wrangler = await loadWrangler(state);
  const { name, compatibility_date, kv_namespaces, d1_databases } = wrangler.unstable_readConfig(
    { config: path.join(ROOT, "wrangler.toml") },
    { hideWarnings: true },
  );
  try {
    await mkdir(state, { recursive: true, mode: 0o700 });
    // The other bindings stay closed: a running service may have locked them.
    const opened = { name, compatibility_date, kv_namespaces, d1_databases };
    await writeConfiguration(configuration, opened);
  } catch (fault) {
    const code = systemCode(fault);
    if (code === null) throw fault;
    return refuse(unwritableState(state, code));
  }
  const { env, dispose } = await wrangler.getPlatformProxy<{ PARTNERS: KVNamespace } & Databases>({
    configPath: configuration,
    persist: { path: path.join(state, "v3") },
    envFiles: [],
    remoteBindings: false,
  });
  return { ok: true, partners: env.PARTNERS, databases: namedDatabases(env), close: dispose };
}

/** Writes the configuration with which wrangler opens stores. A rename is atomic: another command may be reading it. */
async function writeConfiguration(file: string, opened: object): Promise<void> {
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, JSON.stringify(opened, null, 2));
  await rename(draft, file);
}

/** Applies new migrations in the order of their names, and records them in the table of `wrangler d1 migrations`. */
export async function applyMigrations(database: D1Database): Promise<void> {
  const { unstable_splitSqlQuery: split } = await import("wrangler");
  await database.exec(
    "CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)",
  );
  const { results } = await database.prepare("SELECT name FROM d1_migrations").all<{ name: string }>();
  const applied = new Set(results.map((row) => row.name));
  const folder = path.join(ROOT, "migrations");
  const files = (await readdir(folder)).filter((file) => file.endsWith(".sql") && !applied.has(file)).sort();
  for (const file of files) {
    const statements = split(await readFile(path.join(folder, file), "utf8"));
    await database.batch([
      ...statements.map((statement) => database.prepare(statement)),
      database.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(file),
    ]);
  }
}
