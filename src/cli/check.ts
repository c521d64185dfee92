import process from "node:process";
import { runTool, type TOOLS } from "./runTool.ts";

/** npm run check: what can be told without running the product. */
const CHECKS: readonly { name: string; tool: keyof typeof TOOLS; args: string[] }[] = [
  { name: "types", tool: "tsc", args: ["--noEmit", "--project", "tsconfig.json"] },
  // What runs in a browser has other types about it than a Worker.
  { name: "page", tool: "tsc", args: ["--noEmit", "--project", "src/console/tsconfig.json"] },
  { name: "browse", tool: "tsc", args: ["--noEmit", "--project", "test/console/tsconfig.json"] },
  { name: "lint", tool: "oxlint", args: ["--type-aware", "--deny-warnings"] },
  { name: "format", tool: "prettier", args: ["--check", "."] },
];

for (const { name, tool, args } of CHECKS) {
  const { exitCode, printed } = await runTool(tool, args, false);
  if (exitCode !== 0) {
    process.exitCode = 1;
    console.log(printed.trimEnd());
  }
  console.log(`${name.padEnd(6)}  ${exitCode === 0 ? "ok" : "failed"}`);
}
