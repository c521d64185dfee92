import { hasMarker } from "../fit/frame.ts";

/** Kind of a file by its first bytes. A zip begins with an entry. An empty zip begins with its end record. */
export type Container = "fit" | "gzip" | "zip" | "empty_zip";

/** Number of bytes that `containerOf` needs. */
export const CONTAINER_BYTES = 12;
/** Number of bytes that `beginsLikeFitFile` needs: a gzip's header and the first bytes inside. */
export const FILE_HEAD_BYTES = 4 * 1024;

const SIGNATURES: readonly (readonly [Exclude<Container, "fit">, ...number[]])[] = [
  ["gzip", 0x1f, 0x8b],
  ["zip", 0x50, 0x4b, 0x03, 0x04],
  ["empty_zip", 0x50, 0x4b, 0x05, 0x06],
];

/** Returns the kind of a file by its first bytes, or null. The content of an archive is not read. */
export function containerOf(bytes: Uint8Array): Container | null {
  if (hasMarker(bytes, 0)) return "fit";
  const found = SIGNATURES.find(([, ...mark]) => mark.every((byte, index) => bytes[index] === byte));
  return found?.[0] ?? null;
}

/** Returns the first bytes inside a gzip. Returns fewer when it ends early or is damaged. */
async function inflatedHead(gzip: Uint8Array): Promise<Uint8Array> {
  const head = new Uint8Array(CONTAINER_BYTES);
  let filled = 0;
  const inflated: AsyncIterable<Uint8Array> = new Blob([gzip.slice(0, FILE_HEAD_BYTES)])
    .stream()
    .pipeThrough(new DecompressionStream("gzip"));
  try {
    for await (const chunk of inflated) {
      const part = chunk.subarray(0, CONTAINER_BYTES - filled);
      head.set(part, filled);
      filled += part.byteLength;
      if (filled === CONTAINER_BYTES) break;
    }
  } catch {
    // The input was cut after 4 KiB, or is not a gzip. The bytes decompressed so far decide.
  }
  return head.subarray(0, filled);
}

/** Returns whether bytes begin like a FIT file, a zip with files, or a gzip with a FIT file inside. */
export async function beginsLikeFitFile(bytes: Uint8Array): Promise<boolean> {
  switch (containerOf(bytes)) {
    case "fit":
    case "zip":
      return true;
    case "gzip":
      return containerOf(await inflatedHead(bytes)) === "fit";
    case "empty_zip":
    case null:
      return false;
  }
}
