import process from "node:process";
import { runChecks } from "../checks.ts";

/** npm run check */
if (!(await runChecks())) process.exitCode = 1;
