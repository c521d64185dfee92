import { spawn } from "node:child_process";
import path from "node:path";
import process from "node:process";
import { stripVTControlCharacters } from "node:util";
import type { z } from "zod";
import { CommandFault, ROOT } from "./commandLine.ts";

/** Wrangler could not do what it was asked for; the message is its own first line of complaint. */
export class RemoteFault extends CommandFault {
  /** What it printed all the same. */
  readonly printed: string;

  constructor(message: string, printed = "") {
    super(message);
    this.printed = printed;
  }
}

const WRANGLER = path.join(ROOT, "node_modules", "wrangler", "bin", "wrangler.js");

/** The deployed environments that wrangler.toml describes; the top of that file is production. */
export type Environment = "production" | "staging";

/** Runs one wrangler command and answers what it prints; throws a RemoteFault when it fails. */
export type RunWrangler = (args: readonly string[], env?: Record<string, string>) => Promise<string>;

/** Wrangler, told which environment each command is about. */
export function wranglerFor(environment: Environment, cli = WRANGLER): RunWrangler {
  return async (args, env = {}) => runWrangler(cli, [...args, ...environmentFlag(environment)], env);
}

/** Said always: without it wrangler warns that production was not meant. */
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
    let complaint = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (complaint += text));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(printed);
      else {
        const why = firstComplaint(complaint) ?? `wrangler ${args[0]} ended with code ${code}.`;
        reject(new RemoteFault(why, printed));
      }
    });
  });
}

/** What wrangler has printed as JSON; anything else is its fault. */
export function answered<T>(schema: z.ZodType<T>, printed: string): T {
  try {
    return schema.parse(JSON.parse(printed));
  } catch {
    throw new RemoteFault("wrangler answers in a form that this command does not know.");
  }
}

/** The line after `[ERROR]`; of a request to Cloudflare the next one, which has the reason and its code. */
function firstComplaint(text: string): string | null {
  const [, complaint, reason] =
    /\[ERROR\]\s*(.+)(?:\s*\n\s*(\S.*))?/.exec(stripVTControlCharacters(text)) ?? [];
  if (complaint === undefined) return null;
  return (
    complaint.startsWith("A request to the Cloudflare API") && reason !== undefined ? reason : complaint
  ).trim();
}
