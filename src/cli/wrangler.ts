import { spawn } from "node:child_process";
import path from "node:path";
import process from "node:process";
import { stripVTControlCharacters } from "node:util";
import { ROOT } from "./command.ts";

/** Wrangler could not do what it was asked for; the message is its own first line of complaint. */
export class RemoteFault extends Error {}

/** What a wrangler command prints; throws a RemoteFault when it fails. */
export async function runWrangler(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const cli = path.join(ROOT, "node_modules", "wrangler", "bin", "wrangler.js");
    const child = spawn(process.execPath, [cli, ...args], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
    });
    let printed = "";
    let complaint = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (complaint += text));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(printed);
      else
        reject(new RemoteFault(firstComplaint(complaint) ?? `wrangler ${args[0]} ended with code ${code}.`));
    });
  });
}

function firstComplaint(text: string): string | null {
  return /\[ERROR\]\s*(.+)/.exec(stripVTControlCharacters(text))?.[1]?.trim() ?? null;
}
