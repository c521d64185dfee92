import { runTool, type TOOLS } from "./runTool.ts";

/** What can be told without running the product. */
const CHECKS: readonly { name: string; tool: keyof typeof TOOLS; args: string[] }[] = [
  { name: "types", tool: "tsc", args: ["--noEmit", "--project", "tsconfig.json"] },
  // What runs in a browser has other types about it than a Worker.
  { name: "page", tool: "tsc", args: ["--noEmit", "--project", "src/console/tsconfig.json"] },
  { name: "browse", tool: "tsc", args: ["--noEmit", "--project", "test/console/tsconfig.json"] },
  { name: "lint", tool: "oxlint", args: ["--type-aware", "--deny-warnings"] },
  { name: "format", tool: "prettier", args: ["--check", "."] },
];

/** Runs every check and prints how each came out; false when one fails. */
export async function runChecks(): Promise<boolean> {
  let holds = true;
  for (const { name, tool, args } of CHECKS) {
    const { exitCode, printed } = await runTool(tool, args, false);
    if (exitCode !== 0) {
      holds = false;
      console.log(printed.trimEnd());
    }
    console.log(`${name.padEnd(6)}  ${exitCode === 0 ? "ok" : "failed"}`);
  }
  return holds;
}
