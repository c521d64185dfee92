import { access, constants, mkdir, readdir, readFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import type { Miniflare } from "miniflare";
import type * as Wrangler from "wrangler";
import { namedDatabases, type Databases, type NamedDatabase } from "../database/databases.ts";
import { CommandFault, refuse, ROOT, systemCode, type Refusal } from "./commandLine.ts";
import { REGISTRY_VARIABLE, registryFolder } from "./runtimeProcesses.ts";
import { unwritableState } from "./stateLock.ts";
import { localDatabaseNames, localNamespaceId } from "./wrangler.ts";

/** KV and D1 of a state folder, opened outside the service. A service may be running on the folder. */
export interface LocalStores {
  ok: true;
  partners: KVNamespace;
  databases: NamedDatabase[];
  close(): Promise<void>;
}

/** Configures the runtimes of this process to write only to the state folder and to use no network. */
function keepRuntimesIn(state: string): void {
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
}

/** Imports wrangler, configured to write only to the state folder and to use no network. */
export async function loadWrangler(state: string): Promise<typeof Wrangler> {
  keepRuntimesIn(state);
  return import("wrangler");
}

/** Returns the folder with the stores of a state folder. */
function storesFolder(state: string): string {
  return path.join(state, "v3");
}

/** Returns whether the stores of this state folder have been opened before. */
export function hasLocalStores(state: string): boolean {
  return existsSync(path.join(storesFolder(state), "d1"));
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

/** A runtime of this process, and the number of its open stores. */
interface SharedRuntime {
  started: Promise<Miniflare>;
  openStores: number;
}

/** Runtimes by state folder. The steps of a command share one, because its start takes seconds on a busy machine. */
const runtimes = new Map<string, SharedRuntime>();

/** Starts a runtime that has only KV and D1: a running service may have locked the other stores. */
async function startRuntime(state: string): Promise<Miniflare> {
  keepRuntimesIn(state);
  // Wrangler's own way to open stores takes three times the memory and twice the time.
  const { convertV4MiniflareOptions, Miniflare: Runtime } = await import("miniflare");
  return new Runtime(
    convertV4MiniflareOptions({
      modules: true,
      script: "export default {}",
      kvNamespaces: { PARTNERS: localNamespaceId() },
      d1Databases: Object.fromEntries(localDatabaseNames().map((name) => [name, name])),
      resourcePersistencePath: storesFolder(state),
      cf: false,
      // The runtime logs a locked database, which commands try again and report themselves.
      handleStructuredLogs: () => undefined,
    }),
  );
}

/** Opens KV and D1 of a state folder. Creates the folder if it is missing. */
export async function openLocalStores(state: string): Promise<LocalStores | Refusal> {
  try {
    await mkdir(state, { recursive: true, mode: 0o700 });
    await access(state, constants.W_OK);
  } catch (fault) {
    const code = systemCode(fault);
    if (code === null) throw fault;
    return refuse(unwritableState(state, code));
  }
  const shared = runtimes.get(state) ?? { started: startRuntime(state), openStores: 0 };
  runtimes.set(state, shared);
  shared.openStores += 1;
  const close = async () => {
    shared.openStores -= 1;
    if (shared.openStores > 0) return;
    runtimes.delete(state);
    await (await shared.started).dispose();
  };
  const runtime = await shared.started;
  const bindings = await runtime.getBindings<{ PARTNERS: KVNamespace } & Databases>();
  return { ok: true, partners: bindings.PARTNERS, databases: namedDatabases(bindings), close };
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
