/**
 * Builds FIT files byte by byte, valid or not. Shares no code with the decoder, so that a mistake in one does not hide in
 * the other.
 */

const BASE_TYPES = {
  enum: { code: 0x00, bytes: 1 },
  sint8: { code: 0x01, bytes: 1 },
  uint8: { code: 0x02, bytes: 1 },
  string: { code: 0x07, bytes: 1 },
  uint8z: { code: 0x0a, bytes: 1 },
  byte: { code: 0x0d, bytes: 1 },
  sint16: { code: 0x83, bytes: 2 },
  uint16: { code: 0x84, bytes: 2 },
  sint32: { code: 0x85, bytes: 4 },
  uint32: { code: 0x86, bytes: 4 },
  float32: { code: 0x88, bytes: 4 },
  float64: { code: 0x89, bytes: 8 },
  uint16z: { code: 0x8b, bytes: 2 },
  uint32z: { code: 0x8c, bytes: 4 },
  sint64: { code: 0x8e, bytes: 8 },
  uint64: { code: 0x8f, bytes: 8 },
  uint64z: { code: 0x90, bytes: 8 },
} as const;

export type BaseTypeName = keyof typeof BASE_TYPES;
const baseTypeCode = (type: BaseTypeName): number => BASE_TYPES[type].code;

export type FieldValue = number | bigint | string | readonly number[] | Uint8Array;
/** Number, base type and encoded value. The size of a string or of bytes is that of its value. */
export type Field = readonly [number: number, type: BaseTypeName, value: FieldValue];
/** Number, developer index, base type, value. */
export type DeveloperField = readonly [
  number: number,
  developer: number,
  type: BaseTypeName,
  value: FieldValue,
];

export interface MessageOptions {
  local?: number;
  bigEndian?: boolean;
  developer?: readonly DeveloperField[];
  /** Time offset (five bits) of a compressed-timestamp header. Default: a normal header. */
  compressed?: number;
}

export interface FileOptions {
  headerSize?: number;
  /** Data size in the header, if it differs from the real one. */
  dataSize?: number;
  /** Header CRC instead of the correct one: "zero" or "wrong". */
  headerCrc?: "zero" | "wrong";
  crc?: "wrong" | "none";
}

/** FIT seconds of 2021-09-08T01:46:40Z. */
export const T0 = 1_000_000_000;
/** T0 in Unix seconds. */
export const T0_UNIX = 1_631_065_600;

const ACTIVITY_FILE = 4;

export class FitBuilder {
  private readonly data: number[] = [];
  private readonly definitions = new Map<number, string>();

  /** Appends any bytes. */
  raw(...bytes: readonly number[]): this {
    this.data.push(...bytes);
    return this;
  }

  /** Appends a data message, with its definition if it is new. */
  message(globalNumber: number, fields: readonly Field[], options: MessageOptions = {}): this {
    const { local = 0, bigEndian = false, developer = [], compressed } = options;
    const encoded = fields.map(([number, type, value]) => ({
      number,
      type,
      bytes: encode(type, value, bigEndian),
    }));
    const developerEncoded = developer.map(([number, index, type, value]) => ({
      number,
      index,
      bytes: encode(type, value, bigEndian),
    }));
    const definition = [
      0x40 | (developer.length > 0 ? 0x20 : 0) | local,
      0,
      bigEndian ? 1 : 0,
      ...(bigEndian ? [globalNumber >> 8, globalNumber & 0xff] : [globalNumber & 0xff, globalNumber >> 8]),
      fields.length,
      ...encoded.flatMap(({ number, type, bytes }) => [number, bytes.length, baseTypeCode(type)]),
      ...(developer.length > 0 ? [developer.length] : []),
      ...developerEncoded.flatMap(({ number, index, bytes }) => [number, bytes.length, index]),
    ];
    const key = definition.join();
    if (this.definitions.get(local) !== key) {
      this.definitions.set(local, key);
      this.data.push(...definition);
    }
    this.data.push(compressed === undefined ? local : 0x80 | (local << 5) | compressed);
    for (const { bytes } of encoded) this.data.push(...bytes);
    for (const { bytes } of developerEncoded) this.data.push(...bytes);
    return this;
  }

  fileId(type = ACTIVITY_FILE): this {
    return this.message(0, [
      [0, "enum", type],
      [1, "uint16", 1],
    ]);
  }

  /** Appends a record: seconds since T0 (null: without a timestamp), then fields. */
  record(seconds: number | null, fields: readonly Field[] = [], options: MessageOptions = {}): this {
    const timestamp: Field[] = seconds === null ? [] : [[253, "uint32", T0 + seconds]];
    return this.message(20, [...timestamp, ...fields], { local: 1, ...options });
  }

  /** Appends a cycling session that begins at T0 by default. */
  session(fields: readonly Field[] = [], seconds = 600): this {
    const defaults: Field[] = [
      [253, "uint32", T0 + seconds],
      [2, "uint32", T0],
      [5, "enum", 2],
      [7, "uint32", seconds * 1000],
      [8, "uint32", seconds * 1000],
    ];
    const given = new Set(fields.map(([number]) => number));
    return this.message(18, [...defaults.filter(([number]) => !given.has(number)), ...fields], { local: 2 });
  }

  lap(fields: readonly Field[]): this {
    return this.message(19, fields, { local: 3 });
  }

  length(fields: readonly Field[]): this {
    return this.message(101, fields, { local: 4 });
  }

  fieldDescription(
    number: number,
    name: string,
    type: BaseTypeName,
    more: readonly Field[] = [],
    developer = 0,
  ): this {
    const fields: Field[] = [
      [0, "uint8", developer],
      [1, "uint8", number],
      [2, "uint8", baseTypeCode(type)],
      [3, "string", name],
    ];
    return this.message(206, [...fields, ...more], { local: 5 });
  }

  build(options: FileOptions = {}): Uint8Array {
    const { headerSize = 14, dataSize = this.data.length, headerCrc, crc } = options;
    const header = new Uint8Array(headerSize);
    header.set([headerSize, 0x20, 0x64, 0x08]);
    new DataView(header.buffer).setUint32(4, dataSize, true);
    header.set([0x2e, 0x46, 0x49, 0x54], 8);
    if (headerSize >= 14) {
      const right = crcOf(header.subarray(0, 12));
      const stored = headerCrc === "zero" ? 0 : headerCrc === "wrong" ? right ^ 0x5555 : right;
      new DataView(header.buffer).setUint16(12, stored, true);
    }
    const body = Uint8Array.from([...header, ...this.data]);
    if (crc === "none") return body;
    const right = crcOf(body);
    const stored = crc === "wrong" ? right ^ 0x5555 : right;
    return concat(body, Uint8Array.of(stored & 0xff, stored >> 8));
  }
}

/** Begins an activity file with its file_id. */
export const activityFile = (): FitBuilder => new FitBuilder().fileId();

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Returns the CRC, computed by bits with the reflected polynomial 0xA001. */
function crcOf(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  }
  return crc;
}

function encode(type: BaseTypeName, value: FieldValue, bigEndian: boolean): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return concat(new TextEncoder().encode(value), Uint8Array.of(0));
  if (typeof value === "number" || typeof value === "bigint") return encodeMember(type, value, bigEndian);
  return concat(...value.map((member) => encodeMember(type, member, bigEndian)));
}

function encodeMember(type: BaseTypeName, value: number | bigint, bigEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(BASE_TYPES[type].bytes);
  const view = new DataView(bytes.buffer);
  const little = !bigEndian;
  if (type === "float32") view.setFloat32(0, Number(value), little);
  else if (type === "float64") view.setFloat64(0, Number(value), little);
  else if (bytes.length === 8) view.setBigUint64(0, BigInt.asUintN(64, BigInt(value)), little);
  else if (bytes.length === 4) view.setUint32(0, Number(value), little);
  else if (bytes.length === 2) view.setUint16(0, Number(value), little);
  else view.setUint8(0, Number(value));
  return bytes;
}
