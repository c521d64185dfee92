import { RECORD, recordField, type NumberField } from "./profile.ts";
import { STREAM_KEYS, STREAM_SOURCES, type StreamKey } from "./streamKeys.ts";
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

export const TIME_KEY = "time_in_seconds" satisfies StreamKey;
export const STANDARD_KEYS = STREAM_KEYS.filter((key) => key !== TIME_KEY);

/**
 * After its columns, a row has the last distance of its records if they are several, and 1 if some listed column may have
 * a reading. Positions from the end.
 */
export const LAST_DISTANCE = 2;
export const LISTED_MARK = 1;

/** Conditions on readings: a step ignores readings that do not meet its condition. */
export const ANY = 0;
export const NOT_ZERO = 1;
export const POSITIVE = 2;
/** From 0 to 100. */
export const SHARE = 3;

const { fields } = RECORD;

type Filling = readonly [column: number, field: NumberField, condition: number];

/** An enhanced 0 beside a plain reading above 0 means that the enhanced field was not written. */
const enhancedOrPlain = (column: number, enhanced: NumberField, plain: NumberField): Filling[] => [
  [column, enhanced, NOT_ZERO],
  [column, plain, POSITIVE],
  [column, enhanced, ANY],
  [column, plain, ANY],
];

/** Columns that one or two fields fill as `streamKeys.ts` says. No computed field needs them, and many are always empty. */
const LISTED_COLUMNS = STANDARD_KEYS.flatMap((key, column) => {
  const source = STREAM_SOURCES[key];
  if (source === null) return [];
  const [first, second] = source.fields.map(recordField);
  return first === undefined ? [] : [{ column, first, second, source }];
});

/**
 * Fields that fill each column, in order: a later entry applies only where the earlier ones gave no reading. A heart rate
 * of 0 means that the strap has no contact. `recordReader.ts` reads positions, cadence and `compressed_speed_distance`
 * itself.
 */
export const FILLING_ORDER: readonly Filling[] = [
  [DISTANCE, fields.distance, ANY],
  ...enhancedOrPlain(ALTITUDE, fields.enhanced_altitude, fields.altitude),
  ...enhancedOrPlain(SPEED, fields.enhanced_speed, fields.speed),
  [HEART_RATE, fields.heart_rate, NOT_ZERO],
  [POWER, fields.power, ANY],
  [TEMPERATURE, fields.temperature, ANY],
  ...LISTED_COLUMNS.flatMap(({ column, first, second, source: { isShare = false } }): Filling[] =>
    second === undefined ? [[column, first, isShare ? SHARE : ANY]] : enhancedOrPlain(column, first, second),
  ),
];

const FIRST_LISTED = Math.min(...LISTED_COLUMNS.map(({ column }) => column));
export const isListed = (column: number): boolean => column >= FIRST_LISTED && column < STANDARD_KEYS.length;

type Replaceable = readonly [field: number, replaced: { column: number; units: units.Units }];

/** Columns that developer fields can replace, by the number of the native field, with the units to convert from. */
export const REPLACEABLE_COLUMNS = new Map<Replaceable[0], Replaceable[1]>([
  [fields.distance.number, { column: DISTANCE, units: units.METERS }],
  [fields.altitude.number, { column: ALTITUDE, units: units.METERS }],
  [fields.enhanced_altitude.number, { column: ALTITUDE, units: units.METERS }],
  [fields.speed.number, { column: SPEED, units: units.METERS_PER_SECOND }],
  [fields.enhanced_speed.number, { column: SPEED, units: units.METERS_PER_SECOND }],
  [fields.heart_rate.number, { column: HEART_RATE, units: units.BEATS_PER_MINUTE }],
  [fields.power.number, { column: POWER, units: units.WATTS }],
  [fields.cadence.number, { column: CADENCE, units: units.CYCLES_PER_MINUTE }],
  [fields.temperature.number, { column: TEMPERATURE, units: units.CELSIUS }],
  ...LISTED_COLUMNS.flatMap(({ column, source: { fields: listed, units: from } }) =>
    from === null ? [] : listed.map(([number]): Replaceable => [number, { column, units: from }]),
  ),
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
