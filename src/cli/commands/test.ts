import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { z } from "zod";
import { systemCode } from "../commandLine.ts";
import { runTool } from "../runTool.ts";

/** npm test [-- filter…]: groups of vitest projects, run one after the other. */
const PROJECT_GROUPS = [["worker", "node"], ["conformance"], ["console"]];

const reportSchema = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  testResults: z.array(
    z.object({ status: z.string(), assertionResults: z.array(z.object({ status: z.string() })) }),
  ),
});

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

async function readCounts(file: string): Promise<Counts> {
  const report = reportSchema.parse(JSON.parse(await readFile(file, "utf8")));
  // A test file that fails before its first test reports no failed test. Count it as one.
  const brokenFiles = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === "failed" && assertionResults.every((test) => test.status !== "failed"),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles.length,
    skipped: report.numPendingTests,
  };
}

const filters = process.argv.slice(2);
const total: Counts = { passed: 0, failed: 0, skipped: 0 };
let hasFailed = false;
const folder = await mkdtemp(path.join(tmpdir(), "test-report-"));
for (const projects of PROJECT_GROUPS) {
  const file = path.join(folder, `${projects.join("-")}.json`);
  const { exitCode } = await runTool(
    "vitest",
    [
      "run",
      "--config=test/vitest.config.ts",
      ...projects.map((project) => `--project=${project}`),
      "--passWithNoTests",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${file}`,
      ...filters,
    ],
    true,
  );
  if (exitCode !== 0) hasFailed = true;
  try {
    const counts = await readCounts(file);
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
  } catch (fault) {
    if (systemCode(fault) !== "ENOENT") throw fault;
    hasFailed = true;
  }
}
await rm(folder, { recursive: true });

const { passed, failed, skipped } = total;
if (passed + failed + skipped === 0) process.stderr.write("No test matches. Check the filters.\n");
else if (hasFailed && failed === 0)
  process.stderr.write("All tests passed, but vitest failed, as shown above.\n");
console.log(`${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`);
process.exitCode = hasFailed || failed > 0 || passed === 0 ? 1 : 0;
