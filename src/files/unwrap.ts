import { constants, crc32, gunzipSync, inflateRawSync } from "node:zlib";
import { inBytes } from "../contract/amounts.ts";
import { MAX_FILE_BYTES } from "../contract/limits.ts";
import { describeNotFit } from "../fit/index.ts";
import { CONTAINER_BYTES, containerOf } from "./container.ts";

export type UnwrapFaultCode = "not_fit" | "archive_invalid" | "file_empty" | "file_too_large";

export type Unwrapped =
  | { ok: true; fit: Uint8Array; container: "fit" | "gzip" | "zip" }
  | { ok: false; code: UnwrapFaultCode; detail: string };

/** Called before this many bytes are unpacked: first with the size that the archive states, then with the maximum. May throw. */
export type BeforeUnpacking = (bytes: number) => void;

/** Maximum number of entries in a zip. A zip of one activity has few. */
const MAX_ZIP_FILES = 100;
/** Compressed bytes that give an entry's first bytes, which follow its Huffman tables. They inflate to 1 MB at most. */
const PEEK_BYTES = 1024;

function fault(code: UnwrapFaultCode, detail: string) {
  return { ok: false as const, code, detail };
}

function tooLarge(what: string) {
  return fault("file_too_large", `${what} is larger than ${inBytes(MAX_FILE_BYTES)}.`);
}

const isFit = (bytes: Uint8Array) => containerOf(bytes) === "fit";
const isArchive = (bytes: Uint8Array) => !isFit(bytes) && containerOf(bytes) !== null;

type Inflated = { ok: true; bytes: Uint8Array } | ReturnType<typeof fault>;
type ZlibBounds = { maxOutputLength: number; chunkSize: number };

/** Runs zlib under the size cap. `broken` is the detail of its failure. */
function inflate(
  work: (options: ZlibBounds) => Uint8Array,
  broken: string,
  maxBytes = MAX_FILE_BYTES,
): Inflated {
  try {
    // Runtimes differ by one byte in where zlib stops, so the length is checked here too.
    const buffer = work({ maxOutputLength: maxBytes + 1, chunkSize: 64 * 1024 });
    if (buffer.byteLength > maxBytes) return tooLarge("The file inside");
    // Not a Buffer: its `slice` shares memory, while a Uint8Array's copies.
    return { ok: true, bytes: new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength) };
  } catch (thrown) {
    return thrown instanceof RangeError ? tooLarge("The file inside") : fault("archive_invalid", broken);
  }
}

/** Unpacks up to the size that the archive states. That may be wrong: on overflow, unpacks up to the maximum size. */
function inflateWhole(
  work: (options: ZlibBounds) => Uint8Array,
  broken: string,
  givenBytes: number,
  beforeUnpacking: BeforeUnpacking,
): Inflated {
  if (givenBytes < MAX_FILE_BYTES) {
    beforeUnpacking(givenBytes);
    const inflated = inflate(work, broken, givenBytes);
    if (inflated.ok || inflated.code !== "file_too_large") return inflated;
  }
  beforeUnpacking(MAX_FILE_BYTES);
  return inflate(work, broken);
}

/** Returns the unpacked bytes if they are a FIT file. */
function unwrapped(inflated: Inflated, container: "gzip" | "zip"): Unwrapped {
  if (!inflated.ok) return inflated;
  const { bytes } = inflated;
  if (isFit(bytes)) return { ok: true, fit: bytes, container };
  if (bytes.byteLength === 0) return fault("file_empty", `The ${container} archive contains an empty file.`);
  if (isArchive(bytes)) return fault("archive_invalid", "The archive contains another archive.");
  return fault("not_fit", `Inside the ${container} archive: ${describeNotFit(bytes)}`);
}

interface ZipFile {
  isEncrypted: boolean;
  method: number;
  crc: number;
  /** Null when the entry's offset or size is outside the archive. */
  data: Uint8Array | null;
  size: number;
}

const STORED = 0;
const DEFLATED = 8;

/** Returns the files of a zip by its central directory, without folders and macOS resource forks. */
function zipFiles(bytes: Uint8Array): ZipFile[] | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const END_BYTES = 22;
  const MAX_COMMENT_BYTES = 0xffff;
  let end = bytes.byteLength - END_BYTES;
  const lowest = Math.max(0, end - MAX_COMMENT_BYTES);
  while (end >= lowest && view.getUint32(end, true) !== 0x06054b50) end -= 1;
  if (end < lowest) return null;

  const files: ZipFile[] = [];
  const places = new Set<number>();
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  for (let entry = 0; entry < count; entry += 1) {
    const HEADER_BYTES = 46;
    if (at + HEADER_BYTES > end || view.getUint32(at, true) !== 0x02014b50) return null;
    const nameLength = view.getUint16(at + 28, true);
    const name = new TextDecoder().decode(bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + nameLength));
    if (!name.endsWith("/") && !name.startsWith("__MACOSX/")) {
      const place = view.getUint32(at + 42, true);
      // Only decompression bombs have entries that share bytes.
      if (files.length === MAX_ZIP_FILES || places.has(place)) return null;
      places.add(place);
      files.push({
        isEncrypted: (view.getUint16(at + 8, true) & 1) !== 0,
        method: view.getUint16(at + 10, true),
        crc: view.getUint32(at + 16, true),
        data: zipData(view, bytes, place, view.getUint32(at + 20, true)),
        size: view.getUint32(at + 24, true),
      });
    }
    at += HEADER_BYTES + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return files;
}

/** Returns an entry's compressed bytes, which follow its local header. */
function zipData(view: DataView, bytes: Uint8Array, at: number, length: number): Uint8Array | null {
  const LOCAL_HEADER_BYTES = 30;
  if (at + LOCAL_HEADER_BYTES > bytes.byteLength || view.getUint32(at, true) !== 0x04034b50) return null;
  const start = at + LOCAL_HEADER_BYTES + view.getUint16(at + 26, true) + view.getUint16(at + 28, true);
  return start + length > bytes.byteLength ? null : bytes.subarray(start, start + length);
}

/** Returns the first bytes of an entry, uncompressed, or none when they cannot be read. */
function peek(file: ZipFile): Uint8Array {
  if (file.data === null || file.isEncrypted) return new Uint8Array();
  const head = file.data.subarray(0, PEEK_BYTES);
  if (file.method === STORED) return head.slice(0, CONTAINER_BYTES);
  if (file.method !== DEFLATED) return new Uint8Array();
  const inflated = inflate(
    (options) => inflateRawSync(head, { ...options, finishFlush: constants.Z_SYNC_FLUSH }),
    "",
  );
  return inflated.ok ? inflated.bytes.slice(0, CONTAINER_BYTES) : new Uint8Array();
}

function unwrapZip(bytes: Uint8Array, beforeUnpacking: BeforeUnpacking): Unwrapped {
  const files = zipFiles(bytes);
  if (files === null) {
    return fault(
      "archive_invalid",
      `The zip archive is damaged, cut off, in zip64 format, or has more than ${MAX_ZIP_FILES} files.`,
    );
  }
  if (files.length === 0) return fault("archive_invalid", "The zip archive contains no file.");
  if (files.some((file) => file.isEncrypted))
    return fault("archive_invalid", "The zip archive is encrypted.");
  if (files.some((file) => file.data === null))
    return fault("archive_invalid", "The zip archive is damaged or in zip64 format.");

  const heads = files.map((file) => ({ file, head: peek(file) }));
  const fits = heads.filter(({ head }) => isFit(head));
  const [fit] = fits;
  if (fits.length > 1) return fault("archive_invalid", "The zip archive contains more than one FIT file.");
  if (fit === undefined) {
    if (heads.some(({ head }) => isArchive(head))) {
      return fault("archive_invalid", "The archive contains another archive.");
    }
    const unsupported = files.some((file) => file.method !== STORED && file.method !== DEFLATED);
    return fault(
      "archive_invalid",
      unsupported
        ? "The zip archive uses a compression method other than deflate."
        : "The zip archive contains no FIT file.",
    );
  }

  const { file } = fit;
  const data = file.data ?? new Uint8Array();
  const damaged = "The zip archive's FIT file is damaged.";
  const inflated: Inflated =
    file.method === STORED
      ? { ok: true, bytes: data }
      : inflateWhole((options) => inflateRawSync(data, options), damaged, file.size, beforeUnpacking);
  if (inflated.ok && (inflated.bytes.byteLength !== file.size || crc32(inflated.bytes) !== file.crc)) {
    return fault("archive_invalid", damaged);
  }
  return unwrapped(inflated, "zip");
}

/** Returns the size in a gzip's last 4 bytes. It is the last member's size modulo 4 GiB, and may be wrong. */
function givenSize(gzip: Uint8Array): number {
  const view = new DataView(gzip.buffer, gzip.byteOffset, gzip.byteLength);
  return gzip.byteLength < 4 ? 0 : view.getUint32(gzip.byteLength - 4, true);
}

/**
 * Unpacks a file from its gzip or zip, which the first bytes tell apart. Never throws, except when `beforeUnpacking`
 * does. Stops at `MAX_FILE_BYTES`. `fit` may share memory with `bytes`.
 */
export function unwrap(bytes: Uint8Array, beforeUnpacking: BeforeUnpacking = () => undefined): Unwrapped {
  if (bytes.byteLength === 0) return fault("file_empty", "The file is empty.");
  switch (containerOf(bytes)) {
    case "fit":
      return bytes.byteLength > MAX_FILE_BYTES
        ? tooLarge("The file")
        : { ok: true, fit: bytes, container: "fit" };
    case "gzip":
      return unwrapped(
        inflateWhole(
          (options) => gunzipSync(bytes, options),
          "The gzip archive is damaged or cut off.",
          givenSize(bytes),
          beforeUnpacking,
        ),
        "gzip",
      );
    case "zip":
    case "empty_zip":
      return unwrapZip(bytes, beforeUnpacking);
    case null:
      return fault("not_fit", describeNotFit(bytes));
  }
}
