import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { wranglerFor } from "../../src/cli/wrangler.ts";
import { median, type Figure } from "./figures.ts";
import { startWorkerd } from "./workerd.ts";

const KILOBYTE = 1_000;
const ROUNDS = 5;

/** Measures the size of the deployed script, and the delay of its first response compared with a small Worker. */
export async function bundleFigures(): Promise<Figure[]> {
  const folder = await mkdtemp(path.join(tmpdir(), "bundle-"));
  try {
    await wranglerFor("production")(["deploy", "--dry-run", "--outdir", folder]);
    const script = await readFile(path.join(folder, "index.js"));
    const started = { service: [] as number[], small: [] as number[] };
    const shared = { consumers: false } as const;
    for (let round = 0; round < ROUNDS; round += 1) {
      started.small.push(
        await measureFirstResponse(
          { ...shared, entry: "test/bench/workers/decoding.ts", classes: {} },
          "/?times=0",
        ),
      );
      started.service.push(await measureFirstResponse({ ...shared, entry: "src/index.ts" }, "/nothing/"));
    }
    const section = "bundle";
    return [
      { section, name: "script", value: script.byteLength / KILOBYTE, unit: "KB" },
      {
        section,
        name: "script, gzip",
        value: gzipSync(script).byteLength / KILOBYTE,
        unit: "KB",
        target: { at: "most", value: 390 },
      },
      { section, name: "start of workerd to the first answer", value: median(started.service), unit: "ms" },
      {
        section,
        name: "the same, beyond a small Worker",
        value: median(started.service) - median(started.small),
        unit: "ms",
      },
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureFirstResponse(
  options: Parameters<typeof startWorkerd>[0],
  address: string,
): Promise<number> {
  const worker = await startWorkerd({ ...options, firstPath: address });
  await worker.stop();
  return worker.firstResponseMs;
}
