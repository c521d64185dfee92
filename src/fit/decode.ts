import type { Definition } from "./frame.ts";
import type { Decoded, Field, Fields, Message } from "./profile.ts";
import { SUMMARY_UNITS, TEXT_UNITS } from "./workBudget.ts";

/**
 * Conversion of bytes to numbers. Each definition is compiled once to a list of needed fields and their offsets, so that
 * a message costs one read per needed field. Width and sign come from the definition, the scale from the profile.
 */

/** Base type numbers: the low five bits of the base type byte. */
const ENUM = 0;
export const SINT8 = 1;
export const UINT8 = 2;
export const SINT16 = 3;
export const UINT16 = 4;
const SINT32 = 5;
export const UINT32 = 6;
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
/** Bytes of one array member, by base type number. */
const MEMBER_BYTES = [1, 1, 1, 2, 2, 4, 4, 1, 4, 8, 1, 2, 4, 1, 8, 8, 8];

/** Position of a field in the messages of a definition. */
export interface FieldPosition {
  readonly number: number;
  /** Bytes from the start of the message's data. */
  readonly at: number;
  readonly size: number;
  readonly baseType: number;
}

export interface DeveloperFieldPosition {
  readonly number: number;
  readonly developerDataIndex: number;
  readonly at: number;
  readonly size: number;
}

/** Returns the base type number of a base type byte, or -1 for an unknown one. */
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
 * Returns the positions of a definition's readable fields by field number. Skips a field of size 0, a size that is no
 * multiple of the base type's, and an unknown base type. Of several fields with the same number the last one counts.
 */
export function fieldPositions(view: DataView, definition: Definition): Map<number, FieldPosition> {
  const fields = new Map<number, FieldPosition>();
  let at = 0;
  for (let i = 0; i < definition.fieldCount; i++) {
    const triplet = definition.fieldsAt + 3 * i;
    const number = view.getUint8(triplet);
    const size = view.getUint8(triplet + 1);
    const baseType = baseTypeOf(view.getUint8(triplet + 2));
    if (size > 0 && baseType >= 0 && size % memberBytes(baseType) === 0) {
      fields.set(number, { number, at, size, baseType });
    }
    at += size;
  }
  return fields;
}

/** Returns the positions of a definition's developer fields. Their base types are in their field descriptions. */
export function developerFieldPositions(view: DataView, definition: Definition): DeveloperFieldPosition[] {
  const fields: DeveloperFieldPosition[] = [];
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

/** Reads one member as a number. Returns NaN for the base type's invalid value and for a float that is not finite. */
export function readMember(view: DataView, at: number, baseType: number, littleEndian: boolean): number {
  // Only the base types that are common in records, so that engines can inline this function.
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

/** Rounds to the seven significant digits of a float32: 0.1, not 0.10000000149. */
function shortestFloat32(value: number): number {
  if (!Number.isFinite(value)) return NaN;
  if (Number.isInteger(value)) return value;
  const magnitude = Math.abs(value);
  let factor = 1;
  while (magnitude * factor < 1e6) factor *= 10;
  return Math.round(value * factor) / factor;
}

const UTF8 = new TextDecoder("utf-8");

/** Maximum number of UTF-16 units of a text, such as the name of a device or of a developer field. */
const MAX_TEXT_UNITS = 64;
// oxlint-disable-next-line no-control-regex -- control characters are removed
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f]/g;
const REPLACEMENT_CHARACTERS_AT_END = /\ufffd+$/;

/**
 * Reads UTF-8 up to the first NUL. Invalid bytes become replacement characters, except at the end: fields of a fixed size cut
 * a text within a character, or are filled with 0xFF. Removes control characters, and cuts the text to `MAX_TEXT_UNITS`.
 */
function readText(view: DataView, at: number, size: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, size);
  const end = bytes.indexOf(0);
  const text = UTF8.decode(end < 0 ? bytes : bytes.subarray(0, end))
    .replace(CONTROL_CHARACTERS, "")
    .replace(REPLACEMENT_CHARACTERS_AT_END, "")
    .trim();
  if (text.length <= MAX_TEXT_UNITS) return text;
  // The halves of a surrogate pair stay together.
  return text
    .slice(0, MAX_TEXT_UNITS)
    .replace(/[\ud800-\udbff]$/, "")
    .trim();
}

/** Compiled definition of a message that is decoded to an object. */
export interface MessagePlan<F extends Fields> {
  readonly message: Message<F>;
  readonly littleEndian: boolean;
  readonly entries: readonly PlanEntry[];
  /** Cost of one message, in units of `WorkBudget`. */
  readonly units: number;
}
interface PlanEntry {
  readonly name: string;
  readonly field: Field;
  readonly placed: FieldPosition;
}

export function compileMessage<F extends Fields>(
  view: DataView,
  definition: Definition,
  message: Message<F>,
): MessagePlan<F> {
  const placed = fieldPositions(view, definition);
  const entries: PlanEntry[] = [];
  const add = (name: string, field: Field) => {
    const place = placed.get(field.number);
    if (place !== undefined) entries.push({ name, field, placed: place });
  };
  for (const [name, field] of message.entries) {
    add(name, field);
    // Decoded after the plain field, which it replaces.
    if (field.kind === "number" && field.enhanced !== undefined) add(name, field.enhanced);
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
    if (value !== null && !isUnwritten(value, field, values[name])) values[name] = value;
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the compiler cannot infer that the names are the keys of F and that each kind of field decodes to its own type
  return values as Decoded<F>;
}

/** Returns whether an enhanced field is a raw 0 beside a plain value above it. Then it was never written. */
function isUnwritten(enhanced: unknown, field: Field, plain: unknown): boolean {
  return (
    typeof plain === "number" && field.kind === "number" && enhanced === -field.offset && plain > enhanced
  );
}

/** Returns null for an invalid value. */
function decodeField(
  view: DataView,
  at: number,
  field: Field,
  placed: FieldPosition,
  littleEndian: boolean,
): number | string | number[] | Uint8Array | null {
  const { baseType, size } = placed;
  if (field.kind === "text") {
    const value = baseType === STRING ? readText(view, at, size) : "";
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

/** Returns raw / scale - offset, rounded only once: raw 1234, scale 5 and offset 500 give exactly -253.2. */
function scaled(raw: number, scale: number, offset: number): number {
  return (raw - offset * scale) / scale;
}

/** Maximum number of members of an array in a developer field of a session or lap. */
const MAX_VALUES = 16;

/** Returns the value of a developer field: a number, a text, or the members of an array. Null for an invalid value. */
export function readDeveloperValue(
  view: DataView,
  at: number,
  field: { size: number; baseType: number; littleEndian: boolean; scale: number; offset: number },
): number | string | (number | null)[] | null {
  const { size, baseType, littleEndian, scale, offset } = field;
  if (size === 0 || baseType < 0) return null;
  if (baseType === STRING) return readText(view, at, size) || null;
  const bytes = memberBytes(baseType);
  if (size % bytes !== 0) return null;
  const members = Array.from({ length: Math.min(size / bytes, MAX_VALUES) }, (_, member) => {
    const value = scaled(readMember(view, at + member * bytes, baseType, littleEndian), scale, offset);
    return Number.isNaN(value) ? null : value;
  });
  if (members.every((member) => member === null)) return null;
  return members.length === 1 ? (members[0] ?? null) : members;
}
