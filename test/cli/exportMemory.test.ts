import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { fileId } from "../../src/identifiers.ts";
import { applyMigrations, openLocalStores } from "../../src/cli/localState.ts";
import { openLocalBucket } from "../support/localBucket.ts";
import { runNode } from "./commandRun.ts";

const SLOW_MS = 300_000;
const FILES = 5_000;
const SMALL_BYTES = 4_096;
const LARGEST_BYTES = 32 * 1024 * 1024;
/** Memory of an export beyond that of a Node that does nothing. */
const BAR_KIB = 64 * 1024;

/**
 * Prints the largest resident memory of the process in KiB to stderr when it ends. `maxRSS` would include the memory of
 * the process that started it.
 */
const PRINT_MEMORY = `--import=data:text/javascript,${encodeURIComponent(
  `import { readFileSync } from "node:fs";
   import process from "node:process";
   const highest = () => /VmHWM:\\s*(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1];
   process.on("exit", () => process.stderr.write(highest() + "\\n"));`,
)}`;

/** Returns node's options of `npm run partner`. */
async function nodeOptions(): Promise<string[]> {
  const text = await readFile(path.join(import.meta.dirname, "..", "..", "package.json"), "utf8");
  const script = /"partner": "([^"]+)"/.exec(text)?.[1] ?? "";
  return script.split(" ").filter((word) => word.startsWith("--"));
}

/** Stores 5,000 files: rows through D1, and bytes as miniflare stores them. */
async function fill(state: string): Promise<void> {
  const opened = await openLocalBucket(state);
  await opened.bucket.put("other/first", "creates the tables");
  await opened.close();
  const stores = await openLocalStores(state);
  if (!stores.ok) throw new Error(stores.problem);
  for (const { database } of stores.databases) await applyMigrations(database);
  const database = stores.databases[0]?.database;
  const folder = path.join(state, "v3/r2/miniflare-R2BucketObject");
  const file = (await readdir(folder)).find((name) => /^\w{64}\.sqlite$/.test(name)) ?? "";
  const objects = new DatabaseSync(path.join(folder, file));
  objects.exec("BEGIN");
  const putObject = objects.prepare(
    `INSERT INTO _mf_objects (key, blob_id, version, size, etag, uploaded, checksums, http_metadata, custom_metadata)
     VALUES (?, ?, 'v', ?, 'e', 1, '{}', '{}', '{}')`,
  );
  const rows: object[] = [];
  for (let index = 0; index < FILES; index += 1) {
    const bytes = randomBytes(index === 0 ? LARGEST_BYTES : SMALL_BYTES);
    const user_id = `user-${index % 50}`;
    const summary_id = `ride-${index}`;
    const file_id = fileId({ partnerId: "acme", userId: user_id, source: "watch", summaryId: summary_id });
    await writeFile(path.join(state, "v3/r2/partner-api-files/blobs", `blob-${index}`), bytes);
    putObject.run(`acme/${file_id}`, `blob-${index}`, bytes.byteLength);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    rows.push({ file_id, user_id, summary_id, sha256, size: bytes.byteLength });
  }
  objects.exec("COMMIT");
  objects.close();
  await database
    ?.prepare(
      `INSERT INTO files (partner_id, file_id, user_id, source, summary_id, priority, overwrite_mode,
         start_time_in_seconds, status, version, revision, object_key, sha256, size_in_bytes, received_at, updated_at)
       SELECT 'acme', value->>'file_id', value->>'user_id', 'watch', value->>'summary_id', 1, 0, '1760000000', 'imported',
         1, 1, 'acme/' || (value->>'file_id'), value->>'sha256', value->>'size', 1760000000000, 1760000000000
       FROM json_each(?)`,
    )
    .bind(JSON.stringify(rows))
    .run();
  await stores.close();
}

// Other systems do not show the memory of a process in a file.
test.skipIf(process.platform !== "linux")(
  "an export of 5,000 files, one of them of 32 MiB, takes at most 64 MB of memory more than a Node that does nothing",
  async () => {
    const state = await mkdtemp(path.join(tmpdir(), "memory-state-"));
    const folder = await mkdtemp(path.join(tmpdir(), "memory-"));
    try {
      const partner = ["src/cli/commands/partner.ts"];
      expect(await runNode([...partner, "create", "acme", "--database=DB", "--state", state])).toMatchObject({
        exitCode: 0,
      });
      await fill(state);
      const options = [...(await nodeOptions()), PRINT_MEMORY];
      const exported = await runNode([
        ...options,
        ...partner,
        "export",
        "acme",
        "--to",
        folder,
        "--state",
        state,
      ]);
      expect(exported).toMatchObject({
        exitCode: 0,
        out: expect.stringContaining(`and ${FILES} originals (0 `),
      });
      const nothing = await runNode([...options, "--eval=0"]);
      expect(Number(nothing.err)).toBeGreaterThan(0);
      expect(Number(exported.err) - Number(nothing.err)).toBeLessThan(BAR_KIB);
    } finally {
      await rm(state, { recursive: true });
      await rm(folder, { recursive: true });
    }
  },
  SLOW_MS,
);
