import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { expect, test } from "vitest";

const MODULE = path.join(import.meta.dirname, "..", "..", "src", "cli", "serviceLog.ts");
/** Writes lines of 100 bytes, which no multiple of 512 bytes ends with. */
const WRITES = `
  const { ServiceLog } = await import(process.argv[1]);
  const log = new ServiceLog(process.argv[2], (line) => console.log(line));
  for (let time = 0; time < 60; time += 1) log.write(JSON.stringify({ text: "x".repeat(88) }), time);`;

test.skipIf(process.platform === "win32")(
  "a disk that accepts only a part of a line leaves no part of it in the log",
  async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "log-"));
    const file = path.join(folder, "service.log");
    try {
      // A limit of the file size stands for the full disk: both make the last write short.
      const script = 'ulimit -f 4 && exec "$0" --input-type=module -e "$1" "$2" "$3"';
      const args = ["-c", script, process.execPath, WRITES, MODULE, file];
      const printed = execFileSync("sh", args, { encoding: "utf8" });
      expect(printed).toBe(`Cannot write the log ${file} (EFBIG).\n`);
      const lines = (await readFile(file, "utf8")).split("\n");
      expect(lines.pop()).toBe("");
      expect(lines.length).toBeGreaterThan(10);
      for (const line of lines) expect(JSON.parse(line)).toEqual({ text: "x".repeat(88) });
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);
