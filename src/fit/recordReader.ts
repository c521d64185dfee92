import {
  ANY,
  CADENCE,
  DISTANCE,
  FILLING_ORDER,
  HEART_RATE,
  isListed,
  LAST_DISTANCE,
  LATITUDE,
  LISTED_MARK,
  LONGITUDE,
  NOT_ZERO,
  POSITIVE,
  SHARE,
  SPEED,
  STANDARD_KEYS,
} from "./columns.ts";
import {
  developerFieldPositions,
  fieldPositions,
  memberBytes,
  readMember,
  SINT16,
  SINT8,
  UINT16,
  UINT32,
  UINT8,
  type FieldPosition,
} from "./decode.ts";
import type { DeveloperFields } from "./developerFields.ts";
import type { Definition, MessageReader } from "./frame.ts";
import { RECORD } from "./profile.ts";
import { cadence, degrees, isPosition } from "./values.ts";

/** `compressed_speed_distance`: 12 bits of speed in 1/100 m/s, then 12 bits of accumulated distance in 1/16 m. */
const PACKED_BYTES = 3;
const PACKED_MASK = 0xfff;
const PACKED_SPEED_SCALE = 100;
const PACKED_DISTANCE_SCALE = 16;

/** How to read the fields of a record. */
interface Steps {
  /** Pairs: column, flags and type in one number, then the offset in the message. */
  readonly codes: Int32Array;
  /** For each step. */
  readonly scales: Float64Array;
  /** For each step: the offset times the scale. Subtracting it before the division rounds only once. */
  readonly offsets: Float64Array;
}
/** Bits of the first number: 8 for the column, 4 for condition and flags, the rest for the type. */
const COLUMN_MASK = 0xff;
const CONDITION_MASK = 0x300;
const CONDITION_SHIFT = 8;
/** An earlier step of the record fills the same column. */
const IS_FURTHER = 0x400;
/** The scale is 1 and the offset 0. */
const IS_UNSCALED = 0x800;
const TYPE_SHIFT = 12;
/** Types of steps that are read without a call. Other types are base types. */
const INLINE_UINT8 = 32;
const INLINE_UINT16_LITTLE_ENDIAN = 33;
const INLINE_UINT32_LITTLE_ENDIAN = 34;
const INLINE_SINT8 = 35;
/** Numbers of records after which steps for columns that are no longer needed are removed. */
const FIRST_SELECTION = 16;
const SELECTION_INTERVAL = 1_024;

const NO_STEPS: Steps = {
  codes: new Int32Array(0),
  scales: new Float64Array(0),
  offsets: new Float64Array(0),
};
/** Triples for each listed step: offset in the message, size, and the bytes of the invalid value. */
const NO_PROBES = new Int32Array(0);
/** Size of a probe that finds a reading in every record. */
const ANY_SIZE = 0;

/** Generation of a plan before its first record. */
const NOT_COMPILED = -1;

interface RecordPlan {
  readonly definition: Definition;
  readonly littleEndian: boolean;
  /** Whether messages have no fields. They count as records only with a compressed-timestamp header. */
  readonly isBare: boolean;
  /** Value of `RecordReader.generation` for which the steps were compiled. */
  generation: number;
  /** Records until the steps for columns that are no longer needed are removed. */
  readsToSelection: number;
  /** Number of columns that had a reader at the last selection. Columns never get a new one. */
  columnsWithReader: number;
  /** Steps for all columns. */
  allSteps: Steps;
  /** Steps for the columns that are still needed, without listed ones. */
  steps: Steps;
  /** Steps for the listed columns that are still needed. They are read only if one of the probes is not invalid. */
  listedSteps: Steps;
  probes: Int32Array;
  readonly distance: FieldPosition | undefined;
  readonly latitude: FieldPosition | undefined;
  readonly longitude: FieldPosition | undefined;
  /** Whether cadence is more than one field. */
  readonly hasCadenceFraction: boolean;
  readonly cadence: FieldPosition | undefined;
  readonly fractionalCadence: FieldPosition | undefined;
  readonly cadence256: FieldPosition | undefined;
  readonly packed: FieldPosition | undefined;
}

/**
 * Converts records to rows. Consecutive records of one timestamp become one row with the first reading of each column. A
 * record without a timestamp becomes its own row. `emit` receives a row that is reused afterwards. Columns with a
 * reader count of 0 have undefined contents.
 */
export class RecordReader implements MessageReader<RecordPlan> {
  private readonly view: DataView;
  private readonly developerFields: DeveloperFields;
  private readonly readerCounts: Uint16Array;
  private readonly emit: (timestamp: number, row: Float64Array) => void;
  private readonly row: Float64Array;
  /** Columns that definitions so far fill. Only these can have a reading of the row before. */
  private readonly filled: number[] = [];
  private hasRow = false;
  private timestamp = -1;
  private packedDistance = -1;
  private packedTotal = 0;
  /** Number of changes of the meaning of developer fields so far, and the byte offset of the next one. */
  private generation = 0;
  private nextChange: number;

  constructor(
    view: DataView,
    developerFields: DeveloperFields,
    readerCounts: Uint16Array,
    emit: (timestamp: number, row: Float64Array) => void,
  ) {
    this.view = view;
    this.developerFields = developerFields;
    this.readerCounts = readerCounts;
    this.emit = emit;
    this.row = new Float64Array(readerCounts.length + LAST_DISTANCE).fill(NaN);
    // `rows.ts` fills in heart rates.
    for (const column of [HEART_RATE, this.row.length - LAST_DISTANCE, this.row.length - LISTED_MARK]) {
      this.willFill(column);
    }
    this.nextChange = developerFields.changes[0] ?? Infinity;
  }

  /** Compiles nothing: that waits for the first record, because a file can define much more than it uses. */
  define(definition: Definition): RecordPlan | null {
    if (definition.globalNumber !== RECORD.number) return null;
    return {
      definition,
      littleEndian: definition.littleEndian,
      isBare: definition.size === 0,
      generation: NOT_COMPILED,
      readsToSelection: FIRST_SELECTION,
      columnsWithReader: 0,
      allSteps: NO_STEPS,
      steps: NO_STEPS,
      listedSteps: NO_STEPS,
      probes: NO_PROBES,
      distance: undefined,
      latitude: undefined,
      longitude: undefined,
      hasCadenceFraction: false,
      cadence: undefined,
      fractionalCadence: undefined,
      cadence256: undefined,
      packed: undefined,
    };
  }

  read(plan: RecordPlan, at: number, timestamp: number): void {
    if (plan.isBare && timestamp < 0) return;
    if (at >= this.nextChange) this.passChanges(at);
    if (plan.generation !== this.generation) Object.assign(plan, this.compile(plan.definition, at));
    const { row, readerCounts } = this;
    const isNewRow = !this.hasRow || timestamp < 0 || timestamp !== this.timestamp;
    if (isNewRow) {
      this.flush();
      const { filled } = this;
      for (let i = 0; i < filled.length; i++) row[filled[i] ?? 0] = NaN;
      this.hasRow = true;
      this.timestamp = timestamp;
    } else if (plan.distance !== undefined && readerCounts[DISTANCE] !== 0) this.readLastDistance(plan, at);
    if (--plan.readsToSelection === 0) this.selectAgain(plan);
    // Whether a record without a timestamp is a row depends on all of its columns.
    const readsAll = timestamp < 0;
    this.readSteps(readsAll ? plan.allSteps : plan.steps, plan.littleEndian, at, isNewRow);
    if (plan.probes.length > 0 && this.mayHaveListed(plan, at)) {
      row[row.length - LISTED_MARK] = 1;
      if (!readsAll) this.readSteps(plan.listedSteps, plan.littleEndian, at, isNewRow);
    }
    if (plan.latitude !== undefined) {
      if (readsAll || readerCounts[LATITUDE] !== 0 || readerCounts[LONGITUDE] !== 0)
        this.readPosition(plan, at);
    }
    if (plan.hasCadenceFraction && (readsAll || readerCounts[CADENCE] !== 0)) this.readCadence(plan, at);
    if (plan.packed !== undefined) this.readPacked(at + plan.packed.at);
  }

  /** Emits the last row. Call it after the last record. */
  flush(): void {
    if (this.hasRow && (this.timestamp >= 0 || hasReading(this.row))) {
      this.emit(this.timestamp, this.row);
    }
    this.hasRow = false;
  }

  private passChanges(at: number): void {
    const { changes } = this.developerFields;
    while ((changes[this.generation] ?? Infinity) <= at) this.generation++;
    this.nextChange = changes[this.generation] ?? Infinity;
  }

  private willFill(column: number): void {
    if (!this.filled.includes(column)) this.filled.push(column);
  }

  /** Compiles a definition, with the meaning that developer fields have at a byte offset. */
  private compile(definition: Definition, offset: number): Partial<RecordPlan> {
    const positions = fieldPositions(this.view, definition);
    const place = (field: { number: number }) => positions.get(field.number);
    const fill = (column: number) => this.willFill(column);
    const packed = place(RECORD.fields.compressed_speed_distance);
    if (positions.has(RECORD.fields.position_lat.number)) [LATITUDE, LONGITUDE].forEach(fill);
    if (hasCadenceFraction(positions)) fill(CADENCE);
    if (packed !== undefined) [DISTANCE, SPEED].forEach(fill);
    return {
      generation: this.generation,
      ...this.compileSteps(definition, positions, offset),
      distance: place(RECORD.fields.distance),
      latitude: place(RECORD.fields.position_lat),
      longitude: place(RECORD.fields.position_long),
      hasCadenceFraction: hasCadenceFraction(positions),
      cadence: place(RECORD.fields.cadence),
      fractionalCadence: place(RECORD.fields.fractional_cadence),
      cadence256: place(RECORD.fields.cadence256),
      packed: packed?.size === PACKED_BYTES ? packed : undefined,
    };
  }

  private compileSteps(
    definition: Definition,
    positions: ReadonlyMap<number, FieldPosition>,
    offset: number,
  ): Partial<RecordPlan> {
    const codes: number[] = [];
    const scales: number[] = [];
    const offsets: number[] = [];
    const filled = new Set<number>();
    const addStep = (
      [column, at, baseType, condition]: readonly [number, number, number, number],
      { scale, offset }: { scale: number; offset: number },
    ) => {
      const flags = (filled.has(column) ? IS_FURTHER : 0) | (scale === 1 && offset === 0 ? IS_UNSCALED : 0);
      filled.add(column);
      this.willFill(column);
      const type = inlineType(baseType, definition.littleEndian);
      codes.push(column | (condition << CONDITION_SHIFT) | flags | (type << TYPE_SHIFT), at);
      scales.push(scale);
      offsets.push(offset * scale);
    };
    for (const [column, field, condition] of FILLING_ORDER) {
      const found = positions.get(field.number);
      if (found !== undefined) addStep([column, found.at, found.baseType, condition], field);
    }
    const { cadence } = RECORD.fields;
    const whole = hasCadenceFraction(positions) ? undefined : positions.get(cadence.number);
    if (whole !== undefined) addStep([CADENCE, whole.at, whole.baseType, ANY], cadence);
    // The first reading of a column counts, but the last of several fields with the same number.
    for (const position of developerFieldPositions(this.view, definition).toReversed()) {
      const field = this.developerFields.at(position, offset);
      if (field === null) continue;
      const condition = field.isHeartRate ? NOT_ZERO : ANY;
      const bytes = memberBytes(field.baseType);
      const addMember = (column: number, member: number) => {
        if (column < 0 || member * bytes >= position.size) return;
        addStep(
          [STANDARD_KEYS.length + column, position.at + member * bytes, field.baseType, condition],
          field,
        );
      };
      addMember(field.column, 0);
      field.memberColumns.forEach(addMember);
    }
    const allSteps = {
      codes: Int32Array.from(codes),
      scales: Float64Array.from(scales),
      offsets: Float64Array.from(offsets),
    };
    return { readsToSelection: FIRST_SELECTION, allSteps, ...this.select(allSteps) };
  }

  /** Removes the steps for columns that have lost their last reader since the last selection. */
  private selectAgain(plan: RecordPlan): void {
    plan.readsToSelection = SELECTION_INTERVAL;
    if (this.columnsWithReader() !== plan.columnsWithReader) Object.assign(plan, this.select(plan.allSteps));
  }

  private columnsWithReader(): number {
    let columns = 0;
    for (let i = 0; i < this.readerCounts.length; i++) if (this.readerCounts[i] !== 0) columns++;
    return columns;
  }

  /** Returns the steps for columns that have a reader. */
  private select(
    allSteps: Steps,
  ): Pick<RecordPlan, "columnsWithReader" | "steps" | "listedSteps" | "probes"> {
    const hasReader = (column: number) => this.readerCounts[column] !== 0;
    const listedSteps = stepsFor(allSteps, (column) => isListed(column) && hasReader(column));
    return {
      columnsWithReader: this.columnsWithReader(),
      steps: stepsFor(allSteps, (column) => !isListed(column) && hasReader(column)),
      listedSteps,
      probes: probesOf(listedSteps),
    };
  }

  /** Returns false when all listed fields of a record have their invalid values. */
  private mayHaveListed({ probes, littleEndian }: RecordPlan, at: number): boolean {
    const { view } = this;
    for (let i = 0; i < probes.length; i += 3) {
      const place = at + (probes[i] ?? 0);
      const size = probes[i + 1];
      let wire = -1;
      if (size === 1) wire = view.getUint8(place);
      else if (size === 2) wire = view.getUint16(place, littleEndian);
      else if (size === 4) wire = view.getInt32(place, littleEndian);
      if (wire !== probes[i + 2] || size === ANY_SIZE) return true;
    }
    return false;
  }

  private readSteps(
    { codes, scales, offsets }: Steps,
    littleEndian: boolean,
    at: number,
    isNewRow: boolean,
  ): void {
    const { view, row } = this;
    for (let i = 0, step = 0; i < codes.length; i += 2, step++) {
      const code = codes[i] ?? 0;
      const column = code & COLUMN_MASK;
      if (!isNewRow || (code & IS_FURTHER) !== 0) {
        const known = row[column] ?? NaN;
        if (known === known) continue;
      }
      const place = at + (codes[i + 1] ?? 0);
      const type = code >> TYPE_SHIFT;
      let wire: number;
      if (type === INLINE_UINT8) {
        wire = view.getUint8(place);
        if (wire === 0xff) continue;
      } else if (type === INLINE_UINT16_LITTLE_ENDIAN) {
        wire = view.getUint16(place, true);
        if (wire === 0xffff) continue;
      } else if (type === INLINE_UINT32_LITTLE_ENDIAN) {
        wire = view.getUint32(place, true);
        if (wire === 0xffffffff) continue;
      } else if (type === INLINE_SINT8) {
        wire = view.getInt8(place);
        if (wire === 0x7f) continue;
      } else {
        wire = readMember(view, place, type, littleEndian);
        if (wire !== wire) continue;
      }
      const isUnscaled = (code & IS_UNSCALED) !== 0;
      const reading = isUnscaled ? wire : (wire - (offsets[step] ?? 0)) / (scales[step] ?? 1);
      const condition = code & CONDITION_MASK;
      if (condition !== 0) {
        if (condition === NOT_ZERO << CONDITION_SHIFT && (wire === 0 || reading === 0)) continue;
        if (condition === POSITIVE << CONDITION_SHIFT && !(reading > 0)) continue;
        if (condition === SHARE << CONDITION_SHIFT && !(reading >= 0 && reading <= 100)) continue;
      }
      row[column] = reading;
    }
  }

  /** Reads the distance of a further record of the same timestamp. It counts for the distance of the activity. */
  private readLastDistance({ distance, littleEndian }: RecordPlan, at: number): void {
    const meters = this.member(distance, at, littleEndian) / RECORD.fields.distance.scale;
    if (!Number.isNaN(meters)) this.row[this.row.length - LAST_DISTANCE] = meters;
  }

  private readPosition({ latitude, longitude, littleEndian }: RecordPlan, at: number): void {
    const north = this.member(latitude, at, littleEndian);
    const east = this.member(longitude, at, littleEndian);
    if (!isPosition(north, east)) return;
    this.fill(LATITUDE, degrees(north));
    this.fill(LONGITUDE, degrees(east));
  }

  private readCadence(plan: RecordPlan, at: number): void {
    const { littleEndian } = plan;
    if (plan.cadence !== undefined) {
      const fraction = this.member(plan.fractionalCadence, at, littleEndian);
      const { scale } = RECORD.fields.fractional_cadence;
      this.fill(CADENCE, cadence(this.member(plan.cadence, at, littleEndian), fraction / scale));
    }
    if (plan.cadence256 !== undefined) {
      const { scale } = RECORD.fields.cadence256;
      this.fill(CADENCE, this.member(plan.cadence256, at, littleEndian) / scale);
    }
  }

  private readPacked(at: number): void {
    const { view } = this;
    const bits = view.getUint8(at) | (view.getUint8(at + 1) << 8) | (view.getUint8(at + 2) << 16);
    if (bits === 0xffffff) return;
    const speed = bits & PACKED_MASK;
    const distance = bits >> 12;
    if (speed !== PACKED_MASK) this.fill(SPEED, speed / PACKED_SPEED_SCALE);
    const step = this.packedDistance < 0 ? distance : (distance - this.packedDistance) & PACKED_MASK;
    this.packedDistance = distance;
    this.packedTotal += step;
    this.fill(DISTANCE, this.packedTotal / PACKED_DISTANCE_SCALE);
  }

  private member(place: FieldPosition | undefined, at: number, littleEndian: boolean): number {
    return place === undefined ? NaN : readMember(this.view, at + place.at, place.baseType, littleEndian);
  }

  private fill(column: number, reading: number): void {
    if (Number.isNaN(this.row[column])) this.row[column] = reading;
  }
}

function inlineType(baseType: number, littleEndian: boolean): number {
  if (baseType === UINT8) return INLINE_UINT8;
  if (baseType === SINT8) return INLINE_SINT8;
  if (!littleEndian) return baseType;
  if (baseType === UINT16) return INLINE_UINT16_LITTLE_ENDIAN;
  return baseType === UINT32 ? INLINE_UINT32_LITTLE_ENDIAN : baseType;
}

function hasCadenceFraction(positions: ReadonlyMap<number, FieldPosition>): boolean {
  const { fractional_cadence: fraction, cadence256 } = RECORD.fields;
  return positions.has(fraction.number) || positions.has(cadence256.number);
}

/** Returns the steps for some columns. */
function stepsFor({ codes, scales, offsets }: Steps, isWanted: (column: number) => boolean): Steps {
  const wanted = Array.from(scales.keys()).filter((step) => isWanted((codes[2 * step] ?? 0) & COLUMN_MASK));
  if (wanted.length === scales.length) return { codes, scales, offsets };
  return {
    codes: Int32Array.from(wanted.flatMap((step) => Array.from(codes.subarray(2 * step, 2 * step + 2)))),
    scales: Float64Array.from(wanted, (step) => scales[step] ?? 1),
    offsets: Float64Array.from(wanted, (step) => offsets[step] ?? 0),
  };
}

/** Sizes and bytes of the invalid values of the types that listed fields usually have. */
const PROBES: Readonly<Record<number, readonly [size: number, invalid: number]>> = {
  [INLINE_UINT8]: [1, 0xff],
  [INLINE_SINT8]: [1, 0x7f],
  [INLINE_UINT16_LITTLE_ENDIAN]: [2, 0xffff],
  [UINT16]: [2, 0xffff],
  [SINT16]: [2, 0x7fff],
  [INLINE_UINT32_LITTLE_ENDIAN]: [4, -1],
  [UINT32]: [4, -1],
};

function probesOf({ codes }: Steps): Int32Array {
  return Int32Array.from(
    Array.from(codes).flatMap((code, i) =>
      i % 2 === 0 ? [codes[i + 1] ?? 0, ...(PROBES[code >> TYPE_SHIFT] ?? [ANY_SIZE, 0])] : [],
    ),
  );
}

/** Returns whether a row has a reading. */
function hasReading(row: Float64Array): boolean {
  for (let i = 0; i < row.length - LISTED_MARK; i++) if (!Number.isNaN(row[i])) return true;
  return false;
}
