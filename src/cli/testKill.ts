import process from "node:process";
import { runTool } from "./runTool.ts";

/** npm run test:kill: the long form of the test that kills the service; `KILL_SEED=n` plays a run again. */
process.env["KILL_FILES"] ??= "1000";
process.env["KILL_TIMES"] ??= "7";

const { exitCode } = await runTool(
  "vitest",
  [
    "run",
    "test/conformance/killed.test.ts",
    "--config=test/vitest.config.ts",
    "--project=conformance",
    "--disable-console-intercept",
  ],
  true,
);
process.exitCode = exitCode;
