import type { Definition } from "./frame.ts";
import type { Decoded, Field, Fields, Message } from "./profile.ts";
import { SUMMARY_UNITS, TEXT_UNITS } from "./work.ts";

/**
 * Wire to numbers. A definition is compiled once to the list of wanted fields with their offsets; each
 * message then costs one read per wanted field. The wire decides width and sign, the profile the scale.
 */

/** Base type numbers are the low five bits of the base type byte. */
const ENUM = 0;
const SINT8 = 1;
const UINT8 = 2;
const SINT16 = 3;
const UINT16 = 4;
const SINT32 = 5;
const UINT32 = 6;
const STRING = 7;
const FLOAT32 = 8;
const FLOAT64 = 9;
const UINT8Z = 10;
const UINT16Z = 11;
const UINT32Z = 12;
const BYTE = 13;
const SINT64 = 14;
const UINT64 = 15;
const UINT64Z = 16;
/** Bytes of one member, by base type number. */
const MEMBER_BYTES = [1, 1, 1, 2, 2, 4, 4, 1, 4, 8, 1, 2, 4, 1, 8, 8, 8];

/** Where one field lies in the messages of a definition. */
export interface Placed {
  readonly number: number;
  /** Bytes from the start of the message's data. */
  readonly at: number;
  readonly size: number;
  readonly baseType: number;
}

export interface DeveloperPlaced {
  readonly number: number;
  readonly developerDataIndex: number;
  readonly at: number;
  readonly size: number;
}

/** The base type number of a base type byte, or -1 for one that FIT does not know. */
export function baseTypeOf(byte: number): number {
  const number = byte & 0x1f;
  return (byte & 0x60) === 0 && number < MEMBER_BYTES.length ? number : -1;
}

export function memberBytes(baseType: number): number {
  return MEMBER_BYTES[baseType] ?? 1;
}

export function isNumeric(baseType: number): boolean {
  return baseType >= 0 && baseType !== STRING;
}

/**
 * The readable fields of a definition by their number. Left out: a zero-size field, a size that is no multiple of
 * its base type, an unknown base type, and the second field of one number.
 */
export function placeFields(view: DataView, definition: Definition): Map<number, Placed> {
  const fields = new Map<number, Placed>();
  let at = 0;
  for (let i = 0; i < definition.fieldCount; i++) {
    const triplet = definition.fieldsAt + 3 * i;
    const number = view.getUint8(triplet);
    const size = view.getUint8(triplet + 1);
    const baseType = baseTypeOf(view.getUint8(triplet + 2));
    if (size > 0 && baseType >= 0 && size % memberBytes(baseType) === 0 && !fields.has(number)) {
      fields.set(number, { number, at, size, baseType });
    }
    at += size;
  }
  return fields;
}

/** The developer fields of a definition; their base type stands in their field description. */
export function placeDeveloperFields(view: DataView, definition: Definition): DeveloperPlaced[] {
  const fields: DeveloperPlaced[] = [];
  let at = 0;
  for (let i = 0; i < definition.fieldCount; i++) at += view.getUint8(definition.fieldsAt + 3 * i + 1);
  for (let i = 0; i < definition.developerFieldCount; i++) {
    const triplet = definition.developerFieldsAt + 3 * i;
    const size = view.getUint8(triplet + 1);
    fields.push({
      number: view.getUint8(triplet),
      developerDataIndex: view.getUint8(triplet + 2),
      at,
      size,
    });
    at += size;
  }
  return fields;
}

/** One member as a number; NaN for its base type's invalid value, and for a float that is not finite. */
export function readMember(view: DataView, at: number, baseType: number, littleEndian: boolean): number {
  // The base types that records are made of; small enough for engines to inline.
  let value: number;
  switch (baseType) {
    case UINT8:
      value = view.getUint8(at);
      return value === 0xff ? NaN : value;
    case SINT8:
      value = view.getInt8(at);
      return value === 0x7f ? NaN : value;
    case UINT16:
      value = view.getUint16(at, littleEndian);
      return value === 0xffff ? NaN : value;
    case UINT32:
      value = view.getUint32(at, littleEndian);
      return value === 0xffffffff ? NaN : value;
    case SINT32:
      value = view.getInt32(at, littleEndian);
      return value === 0x7fffffff ? NaN : value;
    default:
      return readRareMember(view, at, baseType, littleEndian);
  }
}

function readRareMember(view: DataView, at: number, baseType: number, littleEndian: boolean): number {
  switch (baseType) {
    case ENUM:
    case BYTE:
      return unless(0xff, view.getUint8(at));
    case SINT16:
      return unless(0x7fff, view.getInt16(at, littleEndian));
    case UINT8Z:
      return unless(0, view.getUint8(at));
    case UINT16Z:
      return unless(0, view.getUint16(at, littleEndian));
    case UINT32Z:
      return unless(0, view.getUint32(at, littleEndian));
    case FLOAT32:
      return shortestFloat32(view.getFloat32(at, littleEndian));
    case FLOAT64: {
      const value = view.getFloat64(at, littleEndian);
      return Number.isFinite(value) ? value : NaN;
    }
    case SINT64:
      return unless(0x7fffffffffffffffn, view.getBigInt64(at, littleEndian));
    case UINT64:
      return unless(0xffffffffffffffffn, view.getBigUint64(at, littleEndian));
    case UINT64Z:
      return unless(0n, view.getBigUint64(at, littleEndian));
    default:
      return NaN;
  }
}

function unless<T extends number | bigint>(invalid: T, value: T): number {
  return value === invalid ? NaN : Number(value);
}

/** A float32 has seven significant digits; the rest of its 64-bit form is noise: 0.1, not 0.10000000149. */
function shortestFloat32(value: number): number {
  if (!Number.isFinite(value)) return NaN;
  if (Number.isInteger(value)) return value;
  const magnitude = Math.abs(value);
  let factor = 1;
  while (magnitude * factor < 1e6) factor *= 10;
  return Math.round(value * factor) / factor;
}

const UTF8 = new TextDecoder("utf-8");

/** UTF-8 up to the first NUL; a byte that is no UTF-8 becomes the replacement character. */
function readText(view: DataView, at: number, size: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, size);
  const end = bytes.indexOf(0);
  return UTF8.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** A compiled definition of a message that is decoded to an object. */
export interface MessagePlan<F extends Fields> {
  readonly message: Message<F>;
  readonly littleEndian: boolean;
  readonly entries: readonly PlanEntry[];
  /** What one message of it costs, in units of `Work`. */
  readonly units: number;
}
interface PlanEntry {
  readonly name: string;
  readonly field: Field;
  readonly placed: Placed;
}

export function compileMessage<F extends Fields>(
  view: DataView,
  definition: Definition,
  message: Message<F>,
): MessagePlan<F> {
  const placed = placeFields(view, definition);
  const entries: PlanEntry[] = [];
  for (const [name, field] of message.entries) {
    const place = placed.get(field.number);
    if (place !== undefined) entries.push({ name, field, placed: place });
  }
  return { message, littleEndian: definition.littleEndian, entries, units: unitsOf(entries) };
}

function unitsOf(entries: readonly PlanEntry[]): number {
  let units = SUMMARY_UNITS;
  for (const { field, placed } of entries) {
    units += field.kind === "number" ? 1 : field.kind === "text" ? TEXT_UNITS + placed.size : placed.size;
  }
  return units;
}

export function decodeMessage<F extends Fields>(
  view: DataView,
  plan: MessagePlan<F>,
  at: number,
): Decoded<F> {
  const values: Record<string, number | string | number[] | Uint8Array> = {};
  for (const { name, field, placed } of plan.entries) {
    const value = decodeField(view, at + placed.at, field, placed, plan.littleEndian);
    if (value !== null) values[name] = value;
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the names are the keys of F and each kind decodes to its own type, which the compiler cannot follow
  return values as Decoded<F>;
}

/** null: absent or invalid. */
function decodeField(
  view: DataView,
  at: number,
  field: Field,
  placed: Placed,
  littleEndian: boolean,
): number | string | number[] | Uint8Array | null {
  const { baseType, size } = placed;
  if (field.kind === "text") {
    const value = baseType === STRING ? readText(view, at, size).trim() : "";
    return value === "" ? null : value;
  }
  if (field.kind === "bytes") {
    const value = new Uint8Array(view.buffer, view.byteOffset + at, size);
    return value.every((byte) => byte === 0xff) ? null : value;
  }
  const { scale, offset } = field;
  if (field.kind === "number") {
    const value = scaled(readMember(view, at, baseType, littleEndian), scale, offset);
    return Number.isNaN(value) ? null : value;
  }
  const bytes = memberBytes(baseType);
  const members: number[] = [];
  for (let from = 0; from < size; from += bytes) {
    members.push(scaled(readMember(view, at + from, baseType, littleEndian), scale, offset));
  }
  return members;
}

/** raw / scale - offset with a single rounding: 1234 of scale 5 and offset 500 is -253.2, without a tail. */
function scaled(raw: number, scale: number, offset: number): number {
  return (raw - offset * scale) / scale;
}
