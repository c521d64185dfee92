import { spawn } from "node:child_process";
import path from "node:path";
import process from "node:process";

const ROOT = path.join(import.meta.dirname, "..", "..");
/** Folder of compiled code, as `npm run` sets it. */
const NODE_COMPILE_CACHE = path.join(ROOT, "node_modules/.cache/node");

export interface CommandRun {
  exitCode: number | null;
  out: string;
  err: string;
}

/** Runs a program with the Node that runs the tests. Resolves when it exits. */
export async function runNode(args: string[], env: Record<string, string> = {}): Promise<CommandRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
      env: { NODE_COMPILE_CACHE, ...process.env, ...env },
    });
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
    child.on("error", reject);
    child.on("close", (exitCode) => resolve({ exitCode, out, err }));
  });
}
