import { fieldPositions, isNumeric, memberBytes, readMember, UINT16, type FieldPosition } from "./decode.ts";
import type { Definition } from "./frame.ts";
import { BEAT_INTERVALS, HRV, RAW_BBI, type ArrayField, type NumberField } from "./profile.ts";
import { RR_INTERVAL_UNITS, RR_MESSAGE_UNITS } from "./workBudget.ts";

/** In the order of `RR_SOURCES`. */
const MESSAGES = [HRV, BEAT_INTERVALS, RAW_BBI] as const;
/** Numbers of the messages, each with its place in `RR_SOURCES`. */
export const RR_MESSAGES: ReadonlyMap<number, number> = new Map(
  MESSAGES.map(({ number }, source) => [number, source]),
);

/** Kinds of an entry: an interval, an interval that the device distrusts, and a time without beats. */
export const BEAT = 0;
export const DISTRUSTED_BEAT = 1;
export const GAP = 2;

/** A field has at most 255 bytes. */
const MAX_ENTRIES = 255;
/** Longest time that the fields have room for, in seconds. Longer ones are invalid. */
const LONGEST_SECONDS = 65.534;
/** Bits of a member of `data`. */
const TIME_MASK = 0x3fff;
const QUALITY_BIT = 0x4000;
const GAP_BIT = 0x8000;
const MILLISECONDS = 1000;

/** Compiled definition of a message with intervals. */
export interface RrPlan {
  /** Place in `RR_SOURCES`. */
  readonly source: number;
  /** Cost of one message in all passes, in units of `WorkBudget`. */
  readonly units: number;
  readonly littleEndian: boolean;
  /** Times, or times with flags in the same number. */
  readonly times: FieldPosition;
  readonly arePacked: boolean;
  /** Whether every valid member is an interval. Nearly all files have only such messages. */
  readonly isPlain: boolean;
  readonly scale: number;
  readonly quality: FieldPosition | undefined;
  readonly gap: FieldPosition | undefined;
  readonly milliseconds: FieldPosition | undefined;
}

/** Entries of the message that was read last. The buffer is reused. */
export class RrEntries {
  count = 0;
  readonly seconds = new Float64Array(MAX_ENTRIES);
  readonly kinds = new Uint8Array(MAX_ENTRIES);
}

/** Returns null for a definition without intervals, and for a message of another kind. */
export function compileRr(view: DataView, definition: Definition): RrPlan | null {
  const source = RR_MESSAGES.get(definition.globalNumber);
  if (source === undefined) return null;
  const positions = fieldPositions(view, definition);
  const place = ({ number }: ArrayField | NumberField) => {
    const position = positions.get(number);
    return position !== undefined && isNumeric(position.baseType) ? position : undefined;
  };
  const packed = MESSAGES[source] === RAW_BBI ? place(RAW_BBI.fields.data) : undefined;
  const { time } = (MESSAGES[source] ?? HRV).fields;
  const times = packed ?? place(time);
  if (times === undefined) return null;
  const isRaw = MESSAGES[source] === RAW_BBI && packed === undefined;
  return {
    source,
    units: RR_MESSAGE_UNITS + RR_INTERVAL_UNITS * membersOf(times),
    littleEndian: definition.littleEndian,
    times,
    arePacked: packed !== undefined,
    isPlain: MESSAGES[source] !== RAW_BBI && times.baseType === UINT16,
    scale: packed === undefined ? time.scale : MILLISECONDS,
    quality: isRaw ? place(RAW_BBI.fields.quality) : undefined,
    gap: isRaw ? place(RAW_BBI.fields.gap) : undefined,
    milliseconds: MESSAGES[source] === HRV ? undefined : place(BEAT_INTERVALS.fields.timestamp_ms),
  };
}

/** Reads the entries of a message. Leaves out members with the invalid value of their type. */
export function readRr(view: DataView, plan: RrPlan, at: number, into: RrEntries): void {
  const { times, scale, littleEndian } = plan;
  const members = membersOf(times);
  let count = 0;
  for (let i = 0; i < members; i++) {
    const value = memberOf(view, times, at, i, littleEndian);
    const seconds = (plan.arePacked ? value & TIME_MASK : value) / scale;
    // The comparisons are false for NaN.
    if (!(value >= 0 && seconds <= LONGEST_SECONDS)) continue;
    into.seconds[count] = seconds;
    into.kinds[count] = plan.arePacked ? packedKind(value) : separateKind(view, plan, at, i);
    count++;
  }
  into.count = count;
}

/** Returns the number of intervals of a message. */
export function countRr(view: DataView, plan: RrPlan, at: number, entries: RrEntries): number {
  let count = 0;
  if (plan.isPlain) {
    const { at: from, size } = plan.times;
    for (let offset = from; offset < from + size; offset += 2) {
      if (view.getUint16(at + offset, plan.littleEndian) !== 0xffff) count++;
    }
    return count;
  }
  readRr(view, plan, at, entries);
  for (let i = 0; i < entries.count; i++) if (entries.kinds[i] !== GAP) count++;
  return count;
}

/** Returns the milliseconds of a message's timestamp, in seconds. */
export function millisecondsOf(view: DataView, { milliseconds, littleEndian }: RrPlan, at: number): number {
  if (milliseconds === undefined) return 0;
  const value = memberOf(view, milliseconds, at, 0, littleEndian) / MILLISECONDS;
  return value > 0 && value <= LONGEST_SECONDS ? value : 0;
}

function packedKind(value: number): number {
  if ((value & GAP_BIT) !== 0) return GAP;
  return (value & QUALITY_BIT) === 0 ? DISTRUSTED_BEAT : BEAT;
}

function separateKind(view: DataView, plan: RrPlan, at: number, i: number): number {
  if (plan.gap !== undefined && memberOf(view, plan.gap, at, i, plan.littleEndian) === 1) return GAP;
  const isDistrusted =
    plan.quality !== undefined && memberOf(view, plan.quality, at, i, plan.littleEndian) === 0;
  return isDistrusted ? DISTRUSTED_BEAT : BEAT;
}

function membersOf({ size, baseType }: FieldPosition): number {
  return size / memberBytes(baseType);
}

/** Returns NaN for an invalid member, and beyond the last one. */
function memberOf(
  view: DataView,
  field: FieldPosition,
  at: number,
  i: number,
  littleEndian: boolean,
): number {
  const offset = i * memberBytes(field.baseType);
  return offset < field.size ? readMember(view, at + field.at + offset, field.baseType, littleEndian) : NaN;
}
