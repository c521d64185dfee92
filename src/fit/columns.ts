import { RECORD, type NumberField } from "./profile.ts";
import { STREAM_KEYS } from "./streamKeys.ts";
import * as units from "./units.ts";

/** Columns of a row, in this order. Columns of developer fields follow the standard ones. */
export const DISTANCE = 0;
export const LATITUDE = 1;
export const LONGITUDE = 2;
export const ALTITUDE = 3;
export const SPEED = 4;
export const HEART_RATE = 5;
export const POWER = 6;
export const CADENCE = 7;
export const TEMPERATURE = 8;

export const [TIME_KEY, ...STANDARD_KEYS] = STREAM_KEYS;

/** Conditions on readings: a step ignores readings that do not meet its condition. */
export const ANY = 0;
export const NOT_ZERO = 1;
export const POSITIVE = 2;

const { fields } = RECORD;

/**
 * Fields that fill each column, in order: a later entry applies only where the earlier ones gave no reading. An enhanced
 * 0 beside a plain reading above 0 means that the enhanced field was not written. A heart rate of 0 means that the strap
 * has no contact. `recordReader.ts` reads positions, cadence and `compressed_speed_distance` itself.
 */
export const FILLING_ORDER: readonly (readonly [column: number, field: NumberField, condition: number])[] = [
  [DISTANCE, fields.distance, ANY],
  [ALTITUDE, fields.enhanced_altitude, NOT_ZERO],
  [ALTITUDE, fields.altitude, POSITIVE],
  [ALTITUDE, fields.enhanced_altitude, ANY],
  [ALTITUDE, fields.altitude, ANY],
  [SPEED, fields.enhanced_speed, NOT_ZERO],
  [SPEED, fields.speed, POSITIVE],
  [SPEED, fields.enhanced_speed, ANY],
  [SPEED, fields.speed, ANY],
  [HEART_RATE, fields.heart_rate, NOT_ZERO],
  [POWER, fields.power, ANY],
  [TEMPERATURE, fields.temperature, ANY],
];

/** Columns that developer fields can replace, by the number of the native field, with the units to convert from. */
export const REPLACEABLE_COLUMNS = new Map([
  [fields.distance.number, { column: DISTANCE, units: units.METERS }],
  [fields.altitude.number, { column: ALTITUDE, units: units.METERS }],
  [fields.enhanced_altitude.number, { column: ALTITUDE, units: units.METERS }],
  [fields.speed.number, { column: SPEED, units: units.METERS_PER_SECOND }],
  [fields.enhanced_speed.number, { column: SPEED, units: units.METERS_PER_SECOND }],
  [fields.heart_rate.number, { column: HEART_RATE, units: units.BEATS_PER_MINUTE }],
  [fields.power.number, { column: POWER, units: units.WATTS }],
  [fields.cadence.number, { column: CADENCE, units: units.CYCLES_PER_MINUTE }],
  [fields.temperature.number, { column: TEMPERATURE, units: units.CELSIUS }],
]);

/** Record fields that fill each standard column. Without all of them in a file the column has no native readings. */
const FIELDS_OF_COLUMNS: readonly (readonly NumberFieldOrBytes[])[] = STANDARD_KEYS.map((_, column) => [
  ...FILLING_ORDER.flatMap(([filled, field]) => (filled === column ? [field] : [])),
  ...(column === LATITUDE || column === LONGITUDE ? [fields.position_lat] : []),
  ...(column === CADENCE ? [fields.cadence, fields.cadence256] : []),
  ...(column === DISTANCE || column === SPEED ? [fields.compressed_speed_distance] : []),
]);
type NumberFieldOrBytes = { readonly number: number };

/** Returns whether each standard column can have readings, from the record fields that a file defines. */
export function possibleColumns(recordFields: ReadonlySet<number>, hasHeartRates: boolean): boolean[] {
  return FIELDS_OF_COLUMNS.map(
    (sources, column) =>
      sources.some(({ number }) => recordFields.has(number)) || (column === HEART_RATE && hasHeartRates),
  );
}
