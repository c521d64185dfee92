import { runTool, type TOOLS } from "./runTool.ts";

/** Static checks. */
const CHECKS: readonly { name: string; tool: keyof typeof TOOLS; args: string[] }[] = [
  { name: "types", tool: "tsc", args: ["--noEmit", "--project", "tsconfig.json"] },
  // Code for a browser is checked against DOM types, not against those of a Worker.
  { name: "page", tool: "tsc", args: ["--noEmit", "--project", "src/console/tsconfig.json"] },
  { name: "browse", tool: "tsc", args: ["--noEmit", "--project", "test/console/tsconfig.json"] },
  { name: "contract", tool: "contract", args: [] },
  { name: "lint", tool: "oxlint", args: ["--type-aware", "--deny-warnings"] },
  { name: "format", tool: "prettier", args: ["--check", "."] },
];

/** Runs every check and prints each result. Returns whether all of them passed. */
export async function runChecks(): Promise<boolean> {
  let passed = true;
  for (const { name, tool, args } of CHECKS) {
    const { exitCode, printed } = await runTool(tool, args, false);
    if (exitCode !== 0) {
      passed = false;
      console.log(printed.trimEnd());
    }
    console.log(`${name.padEnd(8)}  ${exitCode === 0 ? "ok" : "failed"}`);
  }
  return passed;
}
