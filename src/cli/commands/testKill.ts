import process from "node:process";
import { runTool } from "../runTool.ts";

/**
 * npm run test:kill: the long form of the test that kills the service. `KILL_SEED=n` repeats the random numbers of an
 * earlier run. The timing still differs.
 */
process.env["KILL_FILES"] ??= "1000";

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
