import { baseTypeOf, isNumeric } from "./decode.ts";
import { RECORD } from "./profile.ts";
import type { ChainedFile } from "./firstPass.ts";

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

/** Stream keys of the standard columns. */
export const STANDARD_KEYS: readonly string[] = [
  "distance_in_meters",
  "latitude_in_degrees",
  "longitude_in_degrees",
  "altitude_in_meters",
  "speed_in_meters_per_second",
  "heart_rate_in_beats_per_minute",
  "power_in_watts",
  "cadence_in_cycles_per_minute",
  "temperature_in_celsius",
];
export const TIME_KEY = "time_in_seconds";

/** Columns whose readings a developer field can replace, by the number of the native field. */
const REPLACEABLE_COLUMNS: ReadonlyMap<number, number> = new Map([
  [RECORD.fields.distance.number, DISTANCE],
  [RECORD.fields.altitude.number, ALTITUDE],
  [RECORD.fields.enhanced_altitude.number, ALTITUDE],
  [RECORD.fields.speed.number, SPEED],
  [RECORD.fields.enhanced_speed.number, SPEED],
  [RECORD.fields.heart_rate.number, HEART_RATE],
  [RECORD.fields.power.number, POWER],
  [RECORD.fields.cadence.number, CADENCE],
  [RECORD.fields.temperature.number, TEMPERATURE],
]);

export interface DeveloperColumn {
  readonly key: string;
  readonly developerKey: number;
  readonly baseType: number;
  readonly scale: number;
  readonly offset: number;
  /** Standard column that it replaces in activities without readings of the native field; null for none. */
  readonly replacesColumn: number | null;
}

/**
 * Returns the numeric developer fields in a chained file's records, named by their descriptions, which may come later
 * than the records. Further fields of the same name get a number.
 */
export function developerColumnsOf(chained: ChainedFile): DeveloperColumn[] {
  const columns: DeveloperColumn[] = [];
  const taken = new Set<string>();
  for (const [developerKey, description] of chained.descriptions) {
    const baseType = baseTypeOf(description.fit_base_type_id ?? 0xff);
    const name = description.field_name;
    if (!chained.recordDeveloperKeys.has(developerKey) || !isNumeric(baseType) || name === undefined)
      continue;
    let key = `developer.${name}`;
    for (let n = 2; taken.has(key); n++) key = `developer.${name}_${n}`;
    taken.add(key);
    const { native_mesg_num = RECORD.number, native_field_num = -1 } = description;
    columns.push({
      key,
      developerKey,
      baseType,
      scale: description.scale || 1,
      offset: description.offset ?? 0,
      replacesColumn:
        native_mesg_num === RECORD.number ? (REPLACEABLE_COLUMNS.get(native_field_num) ?? null) : null,
    });
  }
  return columns;
}

/**
 * Returns the column that a standard column's readings come from: its own, or, when the whole activity has none, that
 * of the first developer field that replaces it and has readings. Two sources are never mixed.
 */
export function sourceOf(
  column: number,
  developerColumns: readonly DeveloperColumn[],
  hasReadings: (column: number) => boolean,
): number {
  if (hasReadings(column)) return column;
  const replacement = developerColumns.findIndex(
    ({ replacesColumn }, i) => replacesColumn === column && hasReadings(STANDARD_KEYS.length + i),
  );
  return replacement < 0 ? column : STANDARD_KEYS.length + replacement;
}
