import { createHash } from "node:crypto";
import { mkdir, open, rename, writeFile, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { settingsOf, type Partner } from "../../partners/partner.ts";
import { systemCode } from "../commandLine.ts";
import type { Database } from "../databases.ts";
import type { Source } from "./source.ts";
import { LISTS, originalsOf, rowsOf } from "./lists.ts";

export interface Exported {
  /** Number of rows of each list. */
  rows: Record<string, number>;
  originals: number;
  /** Originals that an earlier run had written. */
  kept: number;
  /** Ids of files with bytes that are missing, or do not have the hash of their row. */
  damaged: string[];
}

export const MANIFEST = "manifest.sha256";
const ORIGINALS = "originals";
/** Size of the one buffer of all files. A buffer for each part would wait for the garbage collector. */
const BUFFER_BYTES = 256 * 1024;

/**
 * Writes a partner's data, or one user's, to a folder: JSON Lines, the original bytes, and a manifest in the form of
 * sha256sum. Holds one page of rows and one original. Run again after an interruption, it keeps complete originals.
 */
export async function exportPartner(
  database: Pick<Database, "run">,
  source: Pick<Source, "saveObject">,
  partner: Partner,
  userId: string | null,
  folder: string,
): Promise<Exported> {
  await mkdir(path.join(folder, ORIGINALS), { recursive: true, mode: 0o700 });
  const draft = path.join(folder, `${MANIFEST}.part`);
  const manifest = await open(draft, "w", 0o600);
  const buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  const exported: Exported = { rows: {}, originals: 0, kept: 0, damaged: [] };
  try {
    const list = async (name: string, sha256: string) => manifest.write(`${sha256}  ${name}\n`);
    if (userId === null) {
      const settings = `${JSON.stringify(settingsOf(partner, Date.now()), null, 2)}\n`;
      await writeFile(path.join(folder, "partner.json"), settings, { mode: 0o600 });
      await list("partner.json", createHash("sha256").update(settings).digest("hex"));
    }
    for (const { name, objectOf, ...query } of LISTS) {
      const { rows, sha256 } = await writeLines(
        path.join(folder, `${name}.jsonl`),
        rowsOf(database, query, partner.partner_id, userId),
        (row) => objectOf(row, partner),
      );
      exported.rows[name] = rows;
      await list(`${name}.jsonl`, sha256);
    }
    for await (const original of originalsOf(database, partner.partner_id, userId)) {
      const name = `${ORIGINALS}/${original.file_id}${original.failed ? ".failed" : ""}`;
      const target = path.join(folder, name);
      const earlier = await hashOf(target, buffer);
      const isKept = earlier !== null && (original.sha256 === null || earlier === original.sha256);
      const sha256 = isKept ? earlier : await writeOriginal(source, original.object_key, target, buffer);
      if (sha256 === null || (original.sha256 !== null && sha256 !== original.sha256)) {
        exported.damaged.push(original.file_id);
      }
      if (sha256 === null) continue;
      exported.originals += 1;
      exported.kept += isKept ? 1 : 0;
      await list(name, sha256);
    }
  } finally {
    await manifest.close();
  }
  // The manifest appears last, so that a folder with it is complete.
  await rename(draft, path.join(folder, MANIFEST));
  return exported;
}

async function writeLines(
  file: string,
  rows: AsyncGenerator<Record<string, unknown>>,
  objectOf: (row: Record<string, unknown>) => object,
): Promise<{ rows: number; sha256: string }> {
  const hash = createHash("sha256");
  const output = await open(file, "w", 0o600);
  let count = 0;
  try {
    for await (const row of rows) {
      const line = `${JSON.stringify(objectOf(row))}\n`;
      hash.update(line);
      await output.write(line);
      count += 1;
    }
  } finally {
    await output.close();
  }
  return { rows: count, sha256: hash.digest("hex") };
}

/** Writes an object to a file, which appears when it is complete. Returns its hash, or null for a missing object. */
async function writeOriginal(
  source: Pick<Source, "saveObject">,
  key: string,
  target: string,
  buffer: Buffer,
): Promise<string | null> {
  const draft = `${target}.part`;
  if (!(await source.saveObject(key, draft))) return null;
  await rename(draft, target);
  return hashOf(target, buffer);
}

/** Returns the hash of a file, which it reads into the buffer part by part. Null when the file does not exist. */
async function hashOf(file: string, buffer: Buffer): Promise<string | null> {
  let input: FileHandle;
  try {
    input = await open(file, "r");
  } catch (fault) {
    if (systemCode(fault) === "ENOENT") return null;
    throw fault;
  }
  try {
    const hash = createHash("sha256");
    for (;;) {
      const { bytesRead } = await input.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return hash.digest("hex");
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await input.close();
  }
}
