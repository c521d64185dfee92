import { baseTypeOf, isNumeric } from "./decode.ts";
import { RECORD } from "./profile.ts";
import type { Part } from "./survey.ts";

/** What a row holds: one number per column, in this order, developer fields after the standard ones. */
export const DISTANCE = 0;
export const LATITUDE = 1;
export const LONGITUDE = 2;
export const ALTITUDE = 3;
export const SPEED = 4;
export const HEART_RATE = 5;
export const POWER = 6;
export const CADENCE = 7;
export const TEMPERATURE = 8;

/** The standard columns' stream keys. */
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

/** The columns that a developer field can stand in for, by the number of the native field. */
const STANDS_IN_FOR: ReadonlyMap<number, number> = new Map([
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
  /** The standard column that it stands in for where the native field is missing; null: none. */
  readonly standsInFor: number | null;
}

/**
 * The numeric developer fields that a part's records carry, named by their descriptions wherever in the
 * part those stand. Two fields of one name are told apart by a number.
 */
export function developerColumnsOf(part: Part): DeveloperColumn[] {
  const columns: DeveloperColumn[] = [];
  const taken = new Set<string>();
  for (const [developerKey, description] of part.descriptions) {
    const baseType = baseTypeOf(description.fit_base_type_id ?? 0xff);
    const name = description.field_name;
    if (!part.recordDeveloperKeys.has(developerKey) || !isNumeric(baseType) || name === undefined) continue;
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
      standsInFor: native_mesg_num === RECORD.number ? (STANDS_IN_FOR.get(native_field_num) ?? null) : null,
    });
  }
  return columns;
}

/**
 * Where a column's readings come from: the native field, or, when it is missing in the whole activity, the
 * first developer field that stands in for it and has readings. Never mixed sample by sample.
 */
export function sourceOf(
  column: number,
  developerColumns: readonly DeveloperColumn[],
  hasReadings: (column: number) => boolean,
): number {
  if (hasReadings(column)) return column;
  const standIn = developerColumns.findIndex(
    ({ standsInFor }, i) => standsInFor === column && hasReadings(STANDARD_KEYS.length + i),
  );
  return standIn < 0 ? column : STANDARD_KEYS.length + standIn;
}
