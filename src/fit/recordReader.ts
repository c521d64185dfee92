import {
  ALTITUDE,
  CADENCE,
  DISTANCE,
  HEART_RATE,
  LATITUDE,
  LONGITUDE,
  POWER,
  SPEED,
  STANDARD_KEYS,
  TEMPERATURE,
  type DeveloperColumn,
} from "./columns.ts";
import {
  memberBytes,
  developerFieldPositions,
  fieldPositions,
  readMember,
  type FieldPosition,
} from "./decode.ts";
import type { Definition, MessageReader } from "./frame.ts";
import { RECORD, type NumberField } from "./profile.ts";
import { developerKey } from "./firstPass.ts";
import { cadence, degrees, isPosition } from "./values.ts";

/** Conditions on readings: a step ignores readings that do not meet its condition. */
const ANY = 0;
const NOT_ZERO = 1;
const POSITIVE = 2;

/**
 * Fields that fill each column, in order: a later entry applies only where the earlier ones gave no reading. An enhanced
 * 0 beside a plain reading above 0 means that the enhanced field was not written. A heart rate of 0 means that the strap
 * has no contact.
 */
const FILLING_ORDER: readonly (readonly [column: number, field: NumberField, condition: number])[] = [
  [DISTANCE, RECORD.fields.distance, ANY],
  [ALTITUDE, RECORD.fields.enhanced_altitude, NOT_ZERO],
  [ALTITUDE, RECORD.fields.altitude, POSITIVE],
  [ALTITUDE, RECORD.fields.enhanced_altitude, ANY],
  [ALTITUDE, RECORD.fields.altitude, ANY],
  [SPEED, RECORD.fields.enhanced_speed, NOT_ZERO],
  [SPEED, RECORD.fields.speed, POSITIVE],
  [SPEED, RECORD.fields.enhanced_speed, ANY],
  [SPEED, RECORD.fields.speed, ANY],
  [HEART_RATE, RECORD.fields.heart_rate, NOT_ZERO],
  [POWER, RECORD.fields.power, ANY],
  [TEMPERATURE, RECORD.fields.temperature, ANY],
];

/** `compressed_speed_distance`: 12 bits of speed in 1/100 m/s, then 12 bits of accumulated distance in 1/16 m. */
const PACKED_BYTES = 3;
const PACKED_MASK = 0xfff;
const PACKED_SPEED_SCALE = 100;
const PACKED_DISTANCE_SCALE = 16;

interface RecordPlan {
  readonly littleEndian: boolean;
  /** Whether messages have no fields. They count as records only with a compressed-timestamp header. */
  readonly isBare: boolean;
  /** Groups of four: column, offset in the message, base type, condition. */
  readonly steps: Int32Array;
  /** For each step. */
  readonly scales: Float64Array;
  /** For each step: the offset times the scale. Subtracting it before the division rounds only once. */
  readonly offsets: Float64Array;
  readonly latitude: FieldPosition | undefined;
  readonly longitude: FieldPosition | undefined;
  readonly cadence: FieldPosition | undefined;
  readonly fractionalCadence: FieldPosition | undefined;
  readonly cadence256: FieldPosition | undefined;
  readonly packed: FieldPosition | undefined;
}

/**
 * Converts records to rows. Consecutive records of one timestamp become one row with the first reading of each column.
 * A record without a timestamp becomes its own row. `emit` receives a row that is reused afterwards. Columns with a
 * reader count of 0 are not read.
 */
export class RecordReader implements MessageReader<RecordPlan> {
  private readonly view: DataView;
  private readonly developerColumns: readonly DeveloperColumn[];
  /** Index of a developer column by its `developerKey`. */
  private readonly indexes: ReadonlyMap<number, number>;
  private readonly readerCounts: Uint16Array;
  private readonly emit: (timestamp: number, row: Float64Array) => void;
  private readonly row: Float64Array;
  private hasRow = false;
  private timestamp = -1;
  private packedDistance = -1;
  private packedTotal = 0;

  constructor(
    view: DataView,
    developerColumns: readonly DeveloperColumn[],
    readerCounts: Uint16Array,
    emit: (timestamp: number, row: Float64Array) => void,
  ) {
    this.view = view;
    this.developerColumns = developerColumns;
    this.indexes = new Map(developerColumns.map((column, index) => [column.developerKey, index]));
    this.readerCounts = readerCounts;
    this.emit = emit;
    this.row = new Float64Array(readerCounts.length);
  }

  define(definition: Definition): RecordPlan | null {
    if (definition.globalNumber !== RECORD.number) return null;
    const placed = fieldPositions(this.view, definition);
    const place = (field: { number: number }) => placed.get(field.number);
    const steps: number[] = [];
    const scales: number[] = [];
    const offsets: number[] = [];
    const addStep = (
      column: number,
      at: number,
      baseType: number,
      condition: number,
      scale: number,
      offset: number,
    ) => {
      steps.push(column, at, baseType, condition);
      scales.push(scale);
      offsets.push(offset * scale);
    };
    for (const [column, field, condition] of FILLING_ORDER) {
      const found = place(field);
      if (found !== undefined)
        addStep(column, found.at, found.baseType, condition, field.scale, field.offset);
    }
    for (const { number, developerDataIndex, at, size } of developerFieldPositions(this.view, definition)) {
      const index = this.indexes.get(developerKey(developerDataIndex, number)) ?? -1;
      const column = this.developerColumns[index];
      if (column === undefined || size === 0 || size % memberBytes(column.baseType) !== 0) continue;
      const condition = column.replacesColumn === HEART_RATE ? NOT_ZERO : ANY;
      addStep(STANDARD_KEYS.length + index, at, column.baseType, condition, column.scale, column.offset);
    }
    const packed = place(RECORD.fields.compressed_speed_distance);
    return {
      littleEndian: definition.littleEndian,
      isBare: definition.size === 0,
      steps: Int32Array.from(steps),
      scales: Float64Array.from(scales),
      offsets: Float64Array.from(offsets),
      latitude: place(RECORD.fields.position_lat),
      longitude: place(RECORD.fields.position_long),
      cadence: place(RECORD.fields.cadence),
      fractionalCadence: place(RECORD.fields.fractional_cadence),
      cadence256: place(RECORD.fields.cadence256),
      packed: packed?.size === PACKED_BYTES ? packed : undefined,
    };
  }

  read(plan: RecordPlan, at: number, timestamp: number): void {
    if (plan.isBare && timestamp < 0) return;
    const { row, readerCounts } = this;
    if (!this.hasRow || timestamp < 0 || timestamp !== this.timestamp) {
      this.flush();
      for (let column = 0; column < row.length; column++) row[column] = NaN;
      this.hasRow = true;
      this.timestamp = timestamp;
    }
    this.readSteps(plan, at);
    if (readerCounts[LATITUDE] !== 0 && plan.latitude !== undefined) this.readPosition(plan, at);
    if (readerCounts[CADENCE] !== 0) this.readCadence(plan, at);
    if (plan.packed !== undefined) this.readPacked(at + plan.packed.at);
  }

  /** Emits the last row. Call it after the last record. */
  flush(): void {
    if (this.hasRow && (this.timestamp >= 0 || hasReading(this.row))) {
      this.emit(this.timestamp, this.row);
    }
    this.hasRow = false;
  }

  private readSteps({ steps, scales, offsets, littleEndian }: RecordPlan, at: number): void {
    const { view, row, readerCounts } = this;
    for (let i = 0, step = 0; i < steps.length; i += 4, step++) {
      const column = steps[i] ?? 0;
      if (readerCounts[column] === 0 || !Number.isNaN(row[column])) continue;
      const wire = readMember(view, at + (steps[i + 1] ?? 0), steps[i + 2] ?? 0, littleEndian);
      const reading = (wire - (offsets[step] ?? 0)) / (scales[step] ?? 1);
      const condition = steps[i + 3];
      if (condition === NOT_ZERO && (wire === 0 || reading === 0)) continue;
      if (condition === POSITIVE && !(reading > 0)) continue;
      row[column] = reading;
    }
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

function hasReading(row: Float64Array): boolean {
  for (const reading of row) if (!Number.isNaN(reading)) return true;
  return false;
}
