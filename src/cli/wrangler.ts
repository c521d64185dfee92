import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { stripVTControlCharacters } from "node:util";
import type { z } from "zod";
import { CommandFault, ROOT } from "./commandLine.ts";

/** A wrangler command that failed. The message is wrangler's own error, in one line. */
export class RemoteFault extends CommandFault {
  /** Text that the failed command wrote to stdout. */
  readonly printed: string;

  constructor(message: string, printed = "") {
    super(message);
    this.printed = printed;
  }
}

const WRANGLER = path.join(ROOT, "node_modules", "wrangler", "bin", "wrangler.js");

/** A deployed environment of wrangler.toml, such as `staging`. The top level of that file is `production`. */
export type Environment = string;

/** Returns the text of wrangler.toml. Wrangler's own reader takes 200 MB of memory. */
function configurationText(): string {
  return readFileSync(path.join(ROOT, "wrangler.toml"), "utf8");
}

/** Returns the name of an environment's Worker. Wrangler appends the environment to the name. */
export function workerName(environment: Environment): string {
  const name = /^name = "([^"]+)"/m.exec(configurationText())?.[1];
  if (name === undefined) throw new CommandFault("wrangler.toml has no name.");
  return environment === "production" ? name : `${name}-${environment}`;
}

/** Returns the name of production's bucket, which the local service uses, too. */
export function localBucketName(): string {
  const name = /^bucket_name = "([^"]+)"/m.exec(configurationText())?.[1];
  if (name === undefined) throw new CommandFault("wrangler.toml names no bucket.");
  return name;
}

/** Returns the names of the bindings of production's databases, which the local service uses, too. */
export function localDatabaseNames(): string[] {
  return Array.from(
    configurationText().matchAll(/^\[\[d1_databases\]\]\nbinding = "([^"]+)"/gm),
    ([, name = ""]) => name,
  );
}

/** Returns the id of the local registry's KV namespace: the one of production in wrangler.toml, or else the binding's name. */
export function localNamespaceId(): string {
  return (
    /^\[\[kv_namespaces\]\]\nbinding = "PARTNERS"\nid = "([^"]+)"/m.exec(configurationText())?.[1] ??
    "PARTNERS"
  );
}

/** Returns the names of the environments in wrangler.toml, without production. */
export function environmentNames(): string[] {
  const text = configurationText();
  return [...new Set(Array.from(text.matchAll(/^\[+env\.([\w-]+)/gm), ([, name = ""]) => name))];
}

/** Runs one wrangler command and returns what it printed. Throws a RemoteFault when the command fails. */
export type RunWrangler = (args: readonly string[], env?: Record<string, string>) => Promise<string>;

/** Returns a function that runs wrangler commands on this environment. `cli` is the path of wrangler's entry file. */
export function wranglerFor(environment: Environment, cli = WRANGLER): RunWrangler {
  return async (args, env = {}) => runWrangler(cli, [...args, ...environmentFlag(environment)], env);
}

/** Returns wrangler's flag for the environment. Production needs one too: without it wrangler prints a warning. */
export function environmentFlag(environment: Environment): string[] {
  return environment === "production" ? ["--env="] : ["--env", environment];
}

async function runWrangler(
  cli: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [cli, ...args], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", ...env },
    });
    let printed = "";
    let errorText = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errorText += text));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(printed);
      else {
        const reason = errorReason(errorText) ?? `wrangler ${args[0]} exited with code ${code}.`;
        reject(new RemoteFault(reason, printed));
      }
    });
  });
}

/** Parses JSON that wrangler printed. Throws a RemoteFault for any other text. */
export function parsePrinted<T>(schema: z.ZodType<T>, printed: string): T {
  try {
    return schema.parse(JSON.parse(printed));
  } catch {
    throw new RemoteFault(
      "wrangler printed output that this command cannot read. Use the version of wrangler in package-lock.json.",
    );
  }
}

/** Returns the text after `[ERROR]`. For a failed request to Cloudflare, the next line has the reason and its code. */
function errorReason(text: string): string | null {
  const [, title, reason] = /\[ERROR\]\s*(.+)(?:\s*\n\s*(\S.*))?/.exec(stripVTControlCharacters(text)) ?? [];
  if (title === undefined) return null;
  return (
    title.startsWith("A request to the Cloudflare API") && reason !== undefined ? reason : title
  ).trim();
}
