import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

/** Folders of real and synthetic files outside the repository. Their tests are skipped without them. */
const shared = process.env["FIT_SHARED"] ?? path.join(import.meta.dirname, "../../../shared");

export const corpusFolder = process.env["FIT_CORPUS"] ?? path.join(shared, "fit-corpus");
export const valuesFolder = process.env["FIT_VALUES"] ?? path.join(shared, "fit-values");
export const madeFolder = process.env["FIT_MADE"] ?? path.join(shared, "fit-made");

export function folderExists(folder: string): boolean {
  const found = existsSync(folder);
  if (!found) console.warn(`skipped: ${folder} is not there`);
  return found;
}

export function readBytes(folder: string, file: string): Uint8Array {
  return new Uint8Array(readFileSync(path.join(folder, file)));
}
