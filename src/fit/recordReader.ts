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
import { memberBytes, placeDeveloperFields, placeFields, readMember, scaled } from "./decode.ts";
import type { Definition, MessageReader } from "./frame.ts";
import { RECORD } from "./profile.ts";
import { developerKey } from "./survey.ts";
import { cadence, degrees, enhancedOrPlain, heartRate, isPosition } from "./values.ts";

/** compressed_speed_distance: 12 bits of speed in 1/100 m/s, then 12 bits of a running distance in 1/16 m. */
const PACKED_BYTES = 3;
const PACKED_MASK = 0xfff;
const PACKED_SPEED_SCALE = 100;
const PACKED_DISTANCE_SCALE = 16;

/** A record's numbers stand in slots, in the profile's order, until they are resolved to columns. */
const SLOTS = Object.entries(RECORD.fields).flatMap(([name, field]) =>
  field.kind === "number" ? [{ name, ...field }] : [],
);
const SLOT_SCALES = Float64Array.from(SLOTS, ({ scale }) => scale);
const SLOT_OFFSETS = Float64Array.from(SLOTS, ({ offset, scale }) => offset * scale);
const slot = (name: keyof typeof RECORD.fields) => SLOTS.findIndex((field) => field.name === name);
const POSITION_LAT = slot("position_lat");
const POSITION_LONG = slot("position_long");
const PLAIN_ALTITUDE = slot("altitude");
const ENHANCED_ALTITUDE = slot("enhanced_altitude");
const PLAIN_SPEED = slot("speed");
const ENHANCED_SPEED = slot("enhanced_speed");
const WHOLE_CADENCE = slot("cadence");
const FRACTIONAL_CADENCE = slot("fractional_cadence");
const CADENCE256 = slot("cadence256");
const PLAIN_HEART_RATE = slot("heart_rate");
const PLAIN_POWER = slot("power");
const PLAIN_TEMPERATURE = slot("temperature");
const PLAIN_DISTANCE = slot("distance");
/** What a 0 on the wire means for altitude, in metres. */
const LOWEST_ALTITUDE = -RECORD.fields.altitude.offset;

interface RecordPlan {
  readonly littleEndian: boolean;
  /** Triplets: slot, offset in the message, base type. */
  readonly fields: Int32Array;
  /** Triplets: developer column, offset in the message, base type. */
  readonly developerFields: Int32Array;
  /** Slot values; those that the definition lacks stay NaN. */
  readonly slots: Float64Array;
  /** Offset of compressed_speed_distance, or -1. */
  readonly packedAt: number;
}

/**
 * Records to rows. Consecutive records of one timestamp make one row in which the first value of a column
 * stands; a record without a timestamp is a row of its own. `emit` gets a row that is reused afterwards.
 */
export class RecordReader implements MessageReader<RecordPlan> {
  private readonly view: DataView;
  private readonly developerColumns: readonly DeveloperColumn[];
  private readonly emit: (timestamp: number, row: Float64Array) => void;
  private readonly row: Float64Array;
  private hasRow = false;
  private timestamp = -1;
  private packedDistance = -1;
  private packedTotal = 0;

  constructor(
    view: DataView,
    developerColumns: readonly DeveloperColumn[],
    emit: (timestamp: number, row: Float64Array) => void,
  ) {
    this.view = view;
    this.developerColumns = developerColumns;
    this.emit = emit;
    this.row = new Float64Array(STANDARD_KEYS.length + developerColumns.length);
  }

  define(definition: Definition): RecordPlan | null {
    if (definition.globalNumber !== RECORD.number || definition.size === 0) return null;
    const fields: number[] = [];
    let packedAt = -1;
    for (const { number, at, size, baseType } of placeFields(this.view, definition)) {
      const target = SLOTS.findIndex((field) => field.number === number);
      if (target >= 0) fields.push(target, at, baseType);
      if (number === RECORD.fields.compressed_speed_distance.number && size === PACKED_BYTES) packedAt = at;
    }
    const developerFields: number[] = [];
    const seen = new Set<number>();
    for (const { number, developerDataIndex, at, size } of placeDeveloperFields(this.view, definition)) {
      const key = developerKey(developerDataIndex, number);
      const column = this.developerColumns.findIndex((known) => known.developerKey === key);
      const baseType = this.developerColumns[column]?.baseType ?? -1;
      if (column < 0 || seen.has(key) || size === 0 || size % memberBytes(baseType) !== 0) continue;
      seen.add(key);
      developerFields.push(column, at, baseType);
    }
    return {
      littleEndian: definition.littleEndian,
      fields: Int32Array.from(fields),
      developerFields: Int32Array.from(developerFields),
      slots: new Float64Array(SLOTS.length).fill(NaN),
      packedAt,
    };
  }

  read(plan: RecordPlan, at: number, timestamp: number): void {
    if (!this.hasRow || timestamp < 0 || timestamp !== this.timestamp) {
      this.flush();
      this.row.fill(NaN);
      this.hasRow = true;
      this.timestamp = timestamp;
    }
    this.readSlots(plan, at);
    this.resolve(plan.slots);
    if (plan.packedAt >= 0) this.readPacked(at + plan.packedAt);
    if (plan.developerFields.length > 0) this.readDeveloperFields(plan, at);
  }

  /** To be called after the last record. */
  flush(): void {
    if (this.hasRow && (this.timestamp >= 0 || this.row.some((reading) => !Number.isNaN(reading)))) {
      this.emit(this.timestamp, this.row);
    }
    this.hasRow = false;
  }

  private readSlots({ fields, slots, littleEndian }: RecordPlan, at: number): void {
    const { view } = this;
    for (let i = 0; i < fields.length; i += 3) {
      const target = fields[i] ?? 0;
      const wire = readMember(view, at + (fields[i + 1] ?? 0), fields[i + 2] ?? 0, littleEndian);
      slots[target] = (wire - (SLOT_OFFSETS[target] ?? 0)) / (SLOT_SCALES[target] ?? 1);
    }
  }

  private resolve(slots: Float64Array): void {
    const at = (index: number) => slots[index] ?? NaN;
    this.fill(DISTANCE, at(PLAIN_DISTANCE));
    this.fill(SPEED, enhancedOrPlain(at(ENHANCED_SPEED), at(PLAIN_SPEED)));
    this.fill(ALTITUDE, enhancedOrPlain(at(ENHANCED_ALTITUDE), at(PLAIN_ALTITUDE), LOWEST_ALTITUDE));
    this.fill(POWER, at(PLAIN_POWER));
    this.fill(TEMPERATURE, at(PLAIN_TEMPERATURE));
    this.fill(HEART_RATE, heartRate(at(PLAIN_HEART_RATE)));
    const whole = at(WHOLE_CADENCE);
    this.fill(CADENCE, Number.isNaN(whole) ? at(CADENCE256) : cadence(whole, at(FRACTIONAL_CADENCE)));
    const latitude = at(POSITION_LAT);
    const longitude = at(POSITION_LONG);
    if (isPosition(latitude, longitude)) {
      this.fill(LATITUDE, degrees(latitude));
      this.fill(LONGITUDE, degrees(longitude));
    }
  }

  private readPacked(at: number): void {
    const bits =
      this.view.getUint8(at) | (this.view.getUint8(at + 1) << 8) | (this.view.getUint8(at + 2) << 16);
    const speed = bits & PACKED_MASK;
    const distance = bits >> 12;
    if (speed !== PACKED_MASK) this.fill(SPEED, speed / PACKED_SPEED_SCALE);
    if (bits === 0xffffff) return;
    const step = this.packedDistance < 0 ? distance : (distance - this.packedDistance) & PACKED_MASK;
    this.packedDistance = distance;
    this.packedTotal += step;
    this.fill(DISTANCE, this.packedTotal / PACKED_DISTANCE_SCALE);
  }

  private readDeveloperFields({ developerFields, littleEndian }: RecordPlan, at: number): void {
    for (let i = 0; i < developerFields.length; i += 3) {
      const column = developerFields[i] ?? 0;
      const developerColumn = this.developerColumns[column];
      if (developerColumn === undefined) continue;
      const { scale, offset, standsInFor } = developerColumn;
      const wire = readMember(
        this.view,
        at + (developerFields[i + 1] ?? 0),
        developerFields[i + 2] ?? 0,
        littleEndian,
      );
      const reading = scaled(wire, scale, offset);
      this.fill(STANDARD_KEYS.length + column, standsInFor === HEART_RATE ? heartRate(reading) : reading);
    }
  }

  private fill(column: number, reading: number): void {
    if (Number.isNaN(this.row[column])) this.row[column] = reading;
  }
}
