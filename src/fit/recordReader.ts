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
import { memberBytes, placeDeveloperFields, placeFields, readMember, type Placed } from "./decode.ts";
import type { Definition, MessageReader } from "./frame.ts";
import { RECORD, type NumberField } from "./profile.ts";
import { developerKey } from "./survey.ts";
import { cadence, degrees, isPosition } from "./values.ts";

/** Which readings of a field count. */
const ANY = 0;
const NOT_ZERO = 1;
const POSITIVE = 2;

/**
 * What fills each column, in the order of trial: a later entry counts only where the earlier ones gave no
 * reading. An enhanced 0 yields to a plain reading above 0, for then it was never written; a heart rate of
 * 0 is a strap without contact.
 */
const FILLING_ORDER: readonly (readonly [column: number, field: NumberField, which: number])[] = [
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

/** compressed_speed_distance: 12 bits of speed in 1/100 m/s, then 12 bits of a running distance in 1/16 m. */
const PACKED_BYTES = 3;
const PACKED_MASK = 0xfff;
const PACKED_SPEED_SCALE = 100;
const PACKED_DISTANCE_SCALE = 16;

interface RecordPlan {
  readonly littleEndian: boolean;
  /** The definition has no bytes: only a compressed-timestamp header can make it a record. */
  readonly isBare: boolean;
  /** Quadruples: column, offset in the message, base type, which readings count. */
  readonly steps: Int32Array;
  /** Of each step. */
  readonly scales: Float64Array;
  /** Of each step, times its scale: what to take off before the division, which then rounds only once. */
  readonly offsets: Float64Array;
  readonly latitude: Placed | undefined;
  readonly longitude: Placed | undefined;
  readonly cadence: Placed | undefined;
  readonly fractionalCadence: Placed | undefined;
  readonly cadence256: Placed | undefined;
  readonly packed: Placed | undefined;
}

/**
 * Records to rows. Consecutive records of one timestamp make one row in which the first reading of a column
 * stands; a record without a timestamp is a row of its own. `emit` gets a row that is reused afterwards.
 * Columns whose `wanted` is 0 are not read.
 */
export class RecordReader implements MessageReader<RecordPlan> {
  private readonly view: DataView;
  private readonly developerColumns: readonly DeveloperColumn[];
  /** The index of a developer column by its `developerKey`. */
  private readonly indexes: ReadonlyMap<number, number>;
  private readonly wanted: Uint16Array;
  private readonly emit: (timestamp: number, row: Float64Array) => void;
  private readonly row: Float64Array;
  private hasRow = false;
  private timestamp = -1;
  private packedDistance = -1;
  private packedTotal = 0;

  constructor(
    view: DataView,
    developerColumns: readonly DeveloperColumn[],
    wanted: Uint16Array,
    emit: (timestamp: number, row: Float64Array) => void,
  ) {
    this.view = view;
    this.developerColumns = developerColumns;
    this.indexes = new Map(developerColumns.map((column, index) => [column.developerKey, index]));
    this.wanted = wanted;
    this.emit = emit;
    this.row = new Float64Array(wanted.length);
  }

  define(definition: Definition): RecordPlan | null {
    if (definition.globalNumber !== RECORD.number) return null;
    const placed = placeFields(this.view, definition);
    const place = (field: { number: number }) => placed.get(field.number);
    const steps: number[] = [];
    const scales: number[] = [];
    const offsets: number[] = [];
    const addStep = (
      column: number,
      at: number,
      baseType: number,
      which: number,
      scale: number,
      offset: number,
    ) => {
      steps.push(column, at, baseType, which);
      scales.push(scale);
      offsets.push(offset * scale);
    };
    for (const [column, field, which] of FILLING_ORDER) {
      const found = place(field);
      if (found !== undefined) addStep(column, found.at, found.baseType, which, field.scale, field.offset);
    }
    for (const { number, developerDataIndex, at, size } of placeDeveloperFields(this.view, definition)) {
      const index = this.indexes.get(developerKey(developerDataIndex, number)) ?? -1;
      const column = this.developerColumns[index];
      if (column === undefined || size === 0 || size % memberBytes(column.baseType) !== 0) continue;
      const which = column.standsInFor === HEART_RATE ? NOT_ZERO : ANY;
      addStep(STANDARD_KEYS.length + index, at, column.baseType, which, column.scale, column.offset);
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
    const { row, wanted } = this;
    if (!this.hasRow || timestamp < 0 || timestamp !== this.timestamp) {
      this.flush();
      for (let column = 0; column < row.length; column++) row[column] = NaN;
      this.hasRow = true;
      this.timestamp = timestamp;
    }
    this.takeSteps(plan, at);
    if (wanted[LATITUDE] !== 0 && plan.latitude !== undefined) this.readPosition(plan, at);
    if (wanted[CADENCE] !== 0) this.readCadence(plan, at);
    if (plan.packed !== undefined) this.readPacked(at + plan.packed.at);
  }

  /** To be called after the last record. */
  flush(): void {
    if (this.hasRow && (this.timestamp >= 0 || hasReading(this.row))) {
      this.emit(this.timestamp, this.row);
    }
    this.hasRow = false;
  }

  private takeSteps({ steps, scales, offsets, littleEndian }: RecordPlan, at: number): void {
    const { view, row, wanted } = this;
    for (let i = 0, step = 0; i < steps.length; i += 4, step++) {
      const column = steps[i] ?? 0;
      if (wanted[column] === 0 || !Number.isNaN(row[column])) continue;
      const wire = readMember(view, at + (steps[i + 1] ?? 0), steps[i + 2] ?? 0, littleEndian);
      const reading = (wire - (offsets[step] ?? 0)) / (scales[step] ?? 1);
      const which = steps[i + 3];
      if (which === NOT_ZERO && (wire === 0 || reading === 0)) continue;
      if (which === POSITIVE && !(reading > 0)) continue;
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

  private member(place: Placed | undefined, at: number, littleEndian: boolean): number {
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
