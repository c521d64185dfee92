import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import type * as Wrangler from "wrangler";
import { CommandFault, refuse, ROOT, systemCode, type Refusal } from "./commandLine.ts";

/** The stores of a state folder, opened outside the service; KV may be used while the service runs on them. */
export interface LocalStores {
  ok: true;
  partners: KVNamespace;
  database: D1Database;
  close(): Promise<void>;
}

/** Wrangler, made to keep to the state folder and to this machine. */
export async function loadWrangler(state: string): Promise<typeof Wrangler> {
  Object.assign(process.env, {
    XDG_CONFIG_HOME: path.join(state, "wrangler"),
    WRANGLER_REGISTRY_PATH: path.join(state, "wrangler", "registry"),
    // What matters to people comes from here, what matters to operators is in the service's log.
    WRANGLER_LOG: "none",
    WRANGLER_WRITE_LOGS: "false",
    WRANGLER_SEND_METRICS: "false",
    // The place that requests seem to come from would be asked of the network.
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
    X_LOCAL_EXPLORER: "false",
    X_LOCAL_OBSERVABILITY: "false",
  });
  return import("wrangler");
}

/** What opens the stores of a state folder: written by whoever does. */
function configurationOf(state: string): string {
  return path.join(state, "stores.json");
}

/** Whether the stores of this state folder were ever opened. */
export function hasLocalStores(state: string): boolean {
  return existsSync(configurationOf(state));
}

/** Another process opens or closes the same database for a few milliseconds at a time. */
const TRIES_WHILE_LOCKED = 20;
const WAIT_WHILE_LOCKED_MS = 250;

/** Repeats what a local store refuses while a service, or another command, has it locked. Throws a CommandFault. */
export async function whenUnlocked<T>(operation: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await operation();
    } catch (cause) {
      if (tries === TRIES_WHILE_LOCKED) {
        throw new CommandFault(
          "The local stores do not answer: another program may have them locked, or another version made them.",
          { cause },
        );
      }
      await new Promise((resolve) => {
        setTimeout(resolve, WAIT_WHILE_LOCKED_MS);
      });
    }
  }
}

/** Opens KV and D1 of a state folder, which is made if it is missing. */
export async function openLocalStores(state: string): Promise<LocalStores | Refusal> {
  const configuration = configurationOf(state);
  const wrangler = await loadWrangler(state);
  const { name, compatibility_date, kv_namespaces, d1_databases } = wrangler.unstable_readConfig(
    { config: path.join(ROOT, "wrangler.toml") },
    { hideWarnings: true },
  );
  try {
    await mkdir(state, { recursive: true, mode: 0o700 });
    // The other bindings stay closed: a running service may hold them.
    const opened = { name, compatibility_date, kv_namespaces, d1_databases };
    // Whole or not at all: another command may be reading it at this moment.
    const draft = `${configuration}.${randomUUID()}`;
    await writeFile(draft, JSON.stringify(opened, null, 2));
    await rename(draft, configuration);
  } catch (fault) {
    const code = systemCode(fault);
    if (code === null) throw fault;
    return refuse(`The state folder ${state} cannot be written (${code}).`);
  }
  const { env, dispose } = await wrangler.getPlatformProxy<{ PARTNERS: KVNamespace; DB: D1Database }>({
    configPath: configuration,
    persist: { path: path.join(state, "v3") },
    envFiles: [],
    remoteBindings: false,
  });
  return { ok: true, partners: env.PARTNERS, database: env.DB, close: dispose };
}

/** Applies what is new, in the order of the names, and notes it where `wrangler d1 migrations` does. */
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
