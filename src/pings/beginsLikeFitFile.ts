import { looksLikeFit } from "../fit/index.ts";

/** A FIT header says `.FIT` at byte 8, whatever its length. */
const FIT_HEAD_BYTES = 12;
/** Of a gzip this much is inflated: enough for any header and the first bytes behind it. */
const GZIP_HEAD_BYTES = 4 * 1024;

function startsWith(bytes: Uint8Array, mark: readonly number[]): boolean {
  return mark.every((byte, index) => bytes[index] === byte);
}

/** The first bytes inside a gzip; as many as there are when it ends early or is broken. */
async function inflatedHead(gzip: Uint8Array): Promise<Uint8Array> {
  const head = new Uint8Array(FIT_HEAD_BYTES);
  let filled = 0;
  const inflated: AsyncIterable<Uint8Array> = new Blob([gzip.slice(0, GZIP_HEAD_BYTES)])
    .stream()
    .pipeThrough(new DecompressionStream("gzip"));
  try {
    for await (const chunk of inflated) {
      const part = chunk.subarray(0, FIT_HEAD_BYTES - filled);
      head.set(part, filled);
      filled += part.byteLength;
      if (filled === FIT_HEAD_BYTES) break;
    }
  } catch {
    // Cut off after 4 KiB, or no gzip after all: what came out so far decides.
  }
  return head.subarray(0, filled);
}

/** Whether bytes begin like a FIT file, a zip, or a gzip with a FIT file inside. Everything deeper is the import's to find. */
export async function beginsLikeFitFile(bytes: Uint8Array): Promise<boolean> {
  if (looksLikeFit(bytes) || startsWith(bytes, [0x50, 0x4b, 0x03, 0x04])) return true;
  return startsWith(bytes, [0x1f, 0x8b]) && looksLikeFit(await inflatedHead(bytes));
}
