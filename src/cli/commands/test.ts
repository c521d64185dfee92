import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { z } from "zod";
import { systemCode } from "../commandLine.ts";
import { runTool } from "../runTool.ts";

/** npm test [-- filter…]: everything that can be tried in-process, then the started service. */
const PARTS = [["worker", "node"], ["conformance"], ["console"]];

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
  // A file that does not load, or whose preparation fails, has no test that failed; it counts as one.
  const unprepared = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === "failed" && assertionResults.every((test) => test.status !== "failed"),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + unprepared.length,
    skipped: report.numPendingTests,
  };
}

const filters = process.argv.slice(2);
const total: Counts = { passed: 0, failed: 0, skipped: 0 };
let broken = false;
const folder = await mkdtemp(path.join(tmpdir(), "test-report-"));
for (const projects of PARTS) {
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
  if (exitCode !== 0) broken = true;
  try {
    const counts = await readCounts(file);
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
  } catch (fault) {
    if (systemCode(fault) !== "ENOENT") throw fault;
    broken = true;
  }
}
await rm(folder, { recursive: true });

const { passed, failed, skipped } = total;
if (passed + failed + skipped === 0) process.stderr.write("No test was run.\n");
else if (broken && failed === 0)
  process.stderr.write("The tests passed, but something outside them failed.\n");
console.log(`${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`);
process.exitCode = broken || failed > 0 || passed === 0 ? 1 : 0;
