import { spawn } from "node:child_process";
import path from "node:path";
import process from "node:process";
import { ROOT } from "./commandLine.ts";

/** Entry files of the tools, from node_modules. Their launchers would use the first Node in PATH; this module uses its own. */
export const TOOLS = {
  vitest: "vitest/vitest.mjs",
  tsc: "typescript-7/bin/tsc",
  oxlint: "oxlint/bin/oxlint",
  prettier: "prettier/bin/prettier.cjs",
  contract: "../src/cli/commands/contract.ts",
} as const;

export interface ToolRun {
  exitCode: number;
  /** Text of stdout and stderr, in order. Empty when the tool wrote to the terminal. */
  printed: string;
}

/** Runs a tool of the checkout. With `show` it writes to the terminal. */
export async function runTool(tool: keyof typeof TOOLS, args: string[], show: boolean): Promise<ToolRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(ROOT, "node_modules", TOOLS[tool]), ...args], {
      cwd: ROOT,
      stdio: show ? ["ignore", "inherit", "inherit"] : ["ignore", "pipe", "pipe"],
      env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
    });
    let printed = "";
    const keep = (text: string) => (printed += text);
    child.stdout?.setEncoding("utf8").on("data", keep);
    child.stderr?.setEncoding("utf8").on("data", keep);
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => child.kill(signal));
    child.on("error", reject);
    child.on("close", (code) => resolve({ exitCode: code ?? 1, printed }));
  });
}
