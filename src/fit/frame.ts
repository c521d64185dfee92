import type { FitWarning } from "./types.ts";
import { MESSAGE_UNITS, type WorkBudget } from "./workBudget.ts";

/**
 * Framing: a file is a chain of one or more FIT files, each with a header, definition messages, data messages and a CRC.
 * This module handles lengths and timestamps only. Message readers interpret the contents.
 */

/** Complete messages between two byte offsets. */
export interface MessageRange {
  readonly start: number;
  readonly end: number;
  /** Work units that the first pass counted for them. */
  readonly units: number;
}

/** Layout of the data messages of a local message number. */
export interface Definition {
  readonly globalNumber: number;
  readonly littleEndian: boolean;
  /** Bytes of each data message after its header byte. */
  readonly size: number;
  /** Byte offsets of the field triplets (number, size, base type) and (number, size, developer index). */
  readonly fieldsAt: number;
  readonly fieldCount: number;
  readonly developerFieldsAt: number;
  readonly developerFieldCount: number;
}

export interface MessageReader<Plan> {
  /** Returns how to read the messages of this definition; null to skip them. */
  define(definition: Definition): Plan | null;
  /** Reads a message. `at` is the first byte after its header; `timestamp` is in FIT seconds, or -1. */
  read(plan: Plan, at: number, timestamp: number): void;
}

/** Shortest header that contains the ".FIT" marker. */
const SHORTEST_HEADER_BYTES = 12;
const USUAL_HEADER_BYTES = 14;
const CRC_BYTES = 2;
/** Highest value of the upper half of the protocol version byte. */
const NEWEST_PROTOCOL = 2;
/** Maximum number of chained files. */
const MAX_CHAINED_FILES = 1_000;
const TIMESTAMP_FIELD = 253;
const NO_TIMESTAMP = 0xffffffff;

/** CRC-16 with the reflected polynomial 0xA001, for one byte. */
const CRC_TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  return crc;
});
/** Bytes of a block that `crc16` reduces at once, as bytes and as words of 32 bits. */
const BLOCK_WORDS = new Int32Array(2_048);
const BLOCK = new Uint8Array(BLOCK_WORDS.buffer);
/** The last words of a block, which are not reduced further. */
const LAST_WORDS = 16;
const WORD_BYTES = 4;

/**
 * Returns the CRC of some bytes. Modulo the polynomial x^16 + x^15 + x^2 + 1, x^512 is x^480 + x^64 + 1. So a word of 32 bits equals
 * itself 1, 14 and 16 words later, and most words need no table.
 */
function crc16(bytes: Uint8Array, start: number, end: number, seed = 0): number {
  let crc = seed;
  let at = start;
  while (end - at > 2 * LAST_WORDS * WORD_BYTES) {
    const words = Math.min(BLOCK_WORDS.length, Math.floor((end - at) / WORD_BYTES));
    const last = words - LAST_WORDS;
    BLOCK.set(bytes.subarray(at, at + words * WORD_BYTES));
    let word = (BLOCK_WORDS[0] ?? 0) ^ crc;
    for (let i = 0; i < last; i++) {
      BLOCK_WORDS[i + 14] = (BLOCK_WORDS[i + 14] ?? 0) ^ word;
      BLOCK_WORDS[i + 16] = (BLOCK_WORDS[i + 16] ?? 0) ^ word;
      word ^= BLOCK_WORDS[i + 1] ?? 0;
    }
    BLOCK_WORDS[last] = word;
    crc = bytewiseCrc16(BLOCK, last * WORD_BYTES, words * WORD_BYTES, 0);
    at += words * WORD_BYTES;
  }
  return bytewiseCrc16(bytes, at, end, crc);
}

function bytewiseCrc16(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let crc = seed;
  for (let at = start; at < end; at++) crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  return crc;
}

/** Returns whether bytes 8 to 11 after `at` are ".FIT". */
export function hasMarker(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at + 8] === 0x2e && bytes[at + 9] === 0x46 && bytes[at + 10] === 0x49 && bytes[at + 11] === 0x54
  );
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/**
 * Reads all chained files, each with its own reader. Damage to one does not affect the others: every complete message
 * is read, and the damage is added to `warnings`. Reading ends when `work` is used up.
 */
export function readChainedFiles<Reader extends MessageReader<unknown>>(
  view: DataView,
  warnings: Set<FitWarning>,
  work: WorkBudget,
  open: () => Reader,
  close: (reader: Reader, messages: MessageRange) => void,
): void {
  const bytes = bytesOf(view);
  const length = bytes.length;
  let at = 0;
  for (let count = 0; at < length; count++) {
    if (!hasMarker(bytes, at) || count === MAX_CHAINED_FILES) {
      warnings.add("fit_trailing_bytes");
      return;
    }
    const { start, end, next, sizeIsRight } = boundsAt(view, bytes, at);
    const reader = open();
    const before = work.left;
    const stop = walk(view, start, end, reader, work);
    close(reader, { start, end: stop, units: before - work.left });

    if (work.left <= 0 && (stop < end || next < length)) {
      warnings.add("fit_truncated");
      return;
    }
    if (!sizeIsRight) {
      warnings.add("fit_truncated");
      at = next;
      continue;
    }
    if (stop < end) warnings.add(stop === start ? "fit_segment_unreadable" : "fit_truncated");
    if (end + CRC_BYTES > length) {
      warnings.add("fit_truncated");
    } else if (crc16(bytes, at, end) !== view.getUint16(end, true) || headerCrcIsWrong(view, bytes, at)) {
      warnings.add("fit_crc_mismatch");
    }
    at = next;
  }
}

/** Returns where the data of the chained file at `at` starts and ends, and where the next chained file starts. */
function boundsAt(view: DataView, bytes: Uint8Array, at: number) {
  const headerSize = view.getUint8(at);
  const start = at + (headerSize >= SHORTEST_HEADER_BYTES ? headerSize : USUAL_HEADER_BYTES);
  const declaredSize = view.getUint32(at + 4, true);
  const declaredEnd = start + declaredSize;
  const sizeIsRight =
    declaredSize > 0
      ? declaredEnd <= bytes.length
      : declaredEnd + CRC_BYTES === bytes.length || hasMarker(bytes, declaredEnd + CRC_BYTES);
  if (sizeIsRight) return { start, end: declaredEnd, next: declaredEnd + CRC_BYTES, sizeIsRight };
  const next = nextHeader(bytes, start);
  return { start, end: endOfUnknownSize(view, at, start, next), next, sizeIsRight };
}

/** Headers of at least 14 bytes contain a CRC of their first 12. The value 0 means that the writer omitted it. */
function headerCrcIsWrong(view: DataView, bytes: Uint8Array, at: number): boolean {
  if (view.getUint8(at) < USUAL_HEADER_BYTES) return false;
  const stored = view.getUint16(at + SHORTEST_HEADER_BYTES, true);
  return stored !== 0 && stored !== crc16(bytes, at, at + SHORTEST_HEADER_BYTES);
}

/** Returns where the next plausible header begins, or the end of the bytes. */
function nextHeader(bytes: Uint8Array, from: number): number {
  for (let at = from; at < bytes.length; at++) {
    const headerSize = bytes[at];
    const protocol = (bytes[at + 1] ?? 0) >> 4;
    const isUsual = headerSize === SHORTEST_HEADER_BYTES || headerSize === USUAL_HEADER_BYTES;
    if (isUsual && protocol > 0 && protocol <= NEWEST_PROTOCOL && hasMarker(bytes, at)) return at;
  }
  return bytes.length;
}

/**
 * Returns where data ends when the size in the header is 0 or too large. If the last two bytes are a valid CRC, with the
 * header as written or with its size corrected, data ends before them. Otherwise all bytes are data.
 */
function endOfUnknownSize(view: DataView, at: number, start: number, next: number): number {
  const end = next - CRC_BYTES;
  if (end <= start) return next;
  const bytes = bytesOf(view);
  const stored = view.getUint16(end, true);
  const header = bytes.slice(at, start);
  const crcWith = (headerBytes: Uint8Array) =>
    crc16(bytes, start, end, crc16(headerBytes, 0, headerBytes.length));
  if (crcWith(header) === stored) return end;
  viewOf(header).setUint32(4, end - start, true);
  return crcWith(header) === stored ? end : next;
}

/**
 * Reads complete messages from `start` up to `end` and returns where it stopped: at `end`, at the first byte that begins
 * no complete message with a known definition, or where `work` was used up.
 */
export function walk<Plan>(
  view: DataView,
  start: number,
  end: number,
  reader: MessageReader<Plan>,
  work: WorkBudget,
): number {
  const definitions = new Definitions(view, end, reader);
  const { sizes, timestampsAt, littleEndians, plans } = definitions;
  /** Units of the walk itself. They are subtracted at its end, so that the loop only reads `work.left`. */
  let walked = 0;
  let reference = -1;
  let at = start;
  while (at < end && work.left > walked) {
    const header = view.getUint8(at);
    walked += MESSAGE_UNITS;
    if ((header & 0xc0) === 0x40) {
      const next = definitions.read(at, header);
      if (next < 0) break;
      if (definitions.isRepeated) walked += (next - at) >> 3;
      at = next;
      continue;
    }
    const compressed = header >= 0x80;
    const local = compressed ? (header >> 5) & 3 : header & 0x0f;
    const size = sizes[local] ?? -1;
    const data = at + 1;
    if (size < 0 || data + size > end) break;
    let timestamp = -1;
    const timestampAt = timestampsAt[local] ?? -1;
    if (timestampAt >= 0) {
      const stored = view.getUint32(data + timestampAt, littleEndians[local]);
      if (stored !== NO_TIMESTAMP) timestamp = reference = stored;
    }
    if (compressed && timestamp < 0 && reference >= 0) {
      // The five bits are the low bits of the time. A smaller value than before has rolled over.
      timestamp = reference += ((header & 0x1f) - (reference & 0x1f)) & 0x1f;
    }
    const plan = plans[local];
    if (plan !== null && plan !== undefined) reader.read(plan, data, timestamp);
    at = data + size;
  }
  work.left -= walked;
  return at;
}

/** Current definition of each of the 16 local message numbers. */
class Definitions<Plan> {
  /** Bytes of a data message after its header byte; -1 for an undefined local number. */
  readonly sizes = new Int32Array(16).fill(-1);
  /** Offset of the timestamp in a data message; -1 for none. */
  readonly timestampsAt = new Int32Array(16);
  readonly littleEndians: boolean[] = Array.from({ length: 16 }, () => true);
  readonly plans: (Plan | null)[] = Array.from({ length: 16 }, () => null);
  /** Whether the last definition read was identical to the current one. */
  isRepeated = false;
  private readonly definedAt = new Int32Array(16);
  private readonly definitionBytes = new Int32Array(16);
  private readonly view: DataView;
  private readonly end: number;
  private readonly reader: MessageReader<Plan>;

  constructor(view: DataView, end: number, reader: MessageReader<Plan>) {
    this.view = view;
    this.end = end;
    this.reader = reader;
  }

  /** Reads the definition message at `at`. Returns where the next message begins, or -1 if this one is incomplete. */
  read(at: number, header: number): number {
    const { view, end } = this;
    if (at + 6 > end) return -1;
    const local = header & 0x0f;
    const littleEndian = view.getUint8(at + 2) === 0;
    const fieldsAt = at + 6;
    const fieldCount = view.getUint8(at + 5);
    let next = fieldsAt + 3 * fieldCount;
    const developerFieldsAt = next + 1;
    let developerFieldCount = 0;
    if ((header & 0x20) !== 0) {
      if (next >= end) return -1;
      developerFieldCount = view.getUint8(next);
      next = developerFieldsAt + 3 * developerFieldCount;
    }
    if (next > end) return -1;
    this.isRepeated = this.repeats(local, at, next - at);
    // Some writers repeat the definition before every record. Compiling it each time would be slow.
    if (this.isRepeated) return next;
    this.definedAt[local] = at;
    this.definitionBytes[local] = next - at;
    const size = this.measure(local, fieldsAt, fieldCount, developerFieldsAt, next);
    this.littleEndians[local] = littleEndian;
    this.plans[local] = this.reader.define({
      globalNumber: view.getUint16(at + 3, littleEndian),
      littleEndian,
      size,
      fieldsAt,
      fieldCount,
      developerFieldsAt,
      developerFieldCount,
    });
    return next;
  }

  private repeats(local: number, at: number, bytes: number): boolean {
    return this.definitionBytes[local] === bytes && isSame(this.view, at, this.definedAt[local] ?? 0, bytes);
  }

  /** Sets and returns the size of the data messages, and sets the offset of their timestamp. */
  private measure(
    local: number,
    fieldsAt: number,
    fieldCount: number,
    developerFieldsAt: number,
    next: number,
  ): number {
    const { view } = this;
    let size = 0;
    let timestampAt = -1;
    for (let field = fieldsAt; field < fieldsAt + 3 * fieldCount; field += 3) {
      const fieldSize = view.getUint8(field + 1);
      if (view.getUint8(field) === TIMESTAMP_FIELD && fieldSize === 4) timestampAt = size;
      size += fieldSize;
    }
    for (let field = developerFieldsAt; field < next; field += 3) size += view.getUint8(field + 1);
    this.sizes[local] = size;
    this.timestampsAt[local] = timestampAt;
    return size;
  }
}

function isSame(view: DataView, at: number, other: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (view.getUint8(at + i) !== view.getUint8(other + i)) return false;
  return true;
}
