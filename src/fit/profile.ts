import { lapFields, lengthFields, setFields, type PartFields } from "./partFields.ts";
import { quantities } from "./quantities.ts";
import { summaryFields, type Wire } from "./summaryFields.ts";

/**
 * Messages and fields of the FIT profile that activities need, under the profile's names. A new field is one line here.
 * A value is raw / scale - offset.
 */

export interface NumberField {
  readonly kind: "number";
  readonly number: number;
  readonly scale: number;
  readonly offset: number;
  /** Field with a wider range or a finer resolution. It has priority. */
  readonly enhanced?: NumberField;
}
/** A field with several members. An invalid member is NaN. */
export interface ArrayField {
  readonly kind: "array";
  readonly number: number;
  readonly scale: number;
  readonly offset: number;
}
export interface TextField {
  readonly kind: "text";
  readonly number: number;
}
/** A field of raw bytes. It is absent when every bit is set. */
export interface BytesField {
  readonly kind: "bytes";
  readonly number: number;
}
export type Field = NumberField | ArrayField | TextField | BytesField;
export type Fields = Readonly<Record<string, Field>>;

export interface Message<F extends Fields> {
  readonly number: number;
  readonly fields: F;
  /** The same fields as pairs of name and field. */
  readonly entries: readonly (readonly [name: string, field: Field])[];
}

/** A decoded message. A field that is missing in the file or has its invalid value is absent. */
export type Decoded<F extends Fields> = {
  [K in keyof F]?: F[K] extends TextField
    ? string
    : F[K] extends BytesField
      ? Uint8Array
      : F[K] extends ArrayField
        ? number[]
        : number;
};
/** Decoded form of a message of this table: `Values<typeof LAP>`. */
export type Values<M> = M extends Message<infer F> ? Decoded<F> : never;

const field = (number: number, scale = 1, offset = 0, enhanced?: NumberField): NumberField => ({
  kind: "number",
  number,
  scale,
  offset,
  ...(enhanced === undefined ? {} : { enhanced }),
});
const array = (number: number, scale = 1): ArrayField => ({ kind: "array", number, scale, offset: 0 });
const text = (number: number): TextField => ({ kind: "text", number });
const bytes = (number: number): BytesField => ({ kind: "bytes", number });
const message = <F extends Fields>(number: number, fields: F): Message<F> => ({
  number,
  fields,
  entries: Object.entries(fields).filter(([, { number: fieldNumber }]) => fieldNumber !== NOWHERE),
});
/** Number of a field that the message does not have. */
const NOWHERE = -1;
const fieldOf = ([number, scale, offset]: Wire = [NOWHERE], enhanced?: Wire): NumberField =>
  field(number, scale, offset, enhanced === undefined ? undefined : fieldOf(enhanced));
const PART_FIELDS: PartFields<NumberField, NumberField> = {
  number: (_decimals, _description, wire) => fieldOf(wire),
  index: (_description, wire) => fieldOf(wire),
  name: (_names, _description, wire) => fieldOf(wire),
};
const quantityFields = (message: "session" | "lap") =>
  quantities((_decimals, _description, wires) => fieldOf(wires?.[message], wires?.enhanced?.[message]));

export const FILE_ID = message(0, {
  type: field(0),
  manufacturer: field(1),
  product: field(2),
  serial_number: field(3),
  product_name: text(8),
});

export const SPORT = message(12, {
  sport: field(0),
  sub_sport: field(1),
  name: text(3),
});

export const WORKOUT = message(26, {
  wkt_name: text(8),
});

export const SESSION = message(18, {
  timestamp: field(253),
  start_time: field(2),
  start_position_lat: field(3),
  start_position_long: field(4),
  sport: field(5),
  sub_sport: field(6),
  total_elapsed_time: field(7, 1000),
  total_timer_time: field(8, 1000),
  total_distance: field(9, 100),
  total_calories: field(11),
  avg_speed: field(14, 1000),
  max_speed: field(15, 1000),
  avg_heart_rate: field(16),
  max_heart_rate: field(17),
  avg_cadence: field(18),
  max_cadence: field(19),
  avg_power: field(20),
  max_power: field(21),
  total_ascent: field(22),
  total_descent: field(23),
  first_lap_index: field(25),
  num_laps: field(26),
  num_lengths: field(33),
  normalized_power: field(34),
  num_active_lengths: field(47),
  total_work: field(48),
  avg_temperature: field(57),
  total_moving_time: field(59, 1000),
  active_time: field(78, 1000),
  avg_fractional_cadence: field(92, 128),
  max_fractional_cadence: field(93, 128),
  enhanced_avg_speed: field(124, 1000),
  enhanced_max_speed: field(125, 1000),
  message_index: field(254),
  time_in_hr_zone: array(65, 1000),
  time_in_speed_zone: array(66, 1000),
  time_in_cadence_zone: array(67, 1000),
  time_in_power_zone: array(68, 1000),
  ...quantityFields("session"),
  ...summaryFields(
    (_decimals, _description, wire) => fieldOf(wire),
    (_description, [number] = [NOWHERE]) => text(number),
    () => fieldOf(undefined),
    () => fieldOf(undefined),
  ),
});

export const LAP = message(19, {
  timestamp: field(253),
  start_time: field(2),
  total_elapsed_time: field(7, 1000),
  total_timer_time: field(8, 1000),
  total_distance: field(9, 100),
  total_calories: field(11),
  avg_speed: field(13, 1000),
  max_speed: field(14, 1000),
  avg_heart_rate: field(15),
  max_heart_rate: field(16),
  avg_cadence: field(17),
  max_cadence: field(18),
  avg_power: field(19),
  max_power: field(20),
  total_ascent: field(21),
  total_descent: field(22),
  lap_trigger: field(24),
  sport: field(25),
  num_lengths: field(32),
  normalized_power: field(33),
  first_length_index: field(35),
  sub_sport: field(39),
  total_work: field(41),
  avg_temperature: field(50),
  total_moving_time: field(52, 1000),
  active_time: field(70, 1000),
  avg_fractional_cadence: field(80, 128),
  max_fractional_cadence: field(81, 128),
  enhanced_avg_speed: field(110, 1000),
  enhanced_max_speed: field(111, 1000),
  message_index: field(254),
  time_in_hr_zone: array(57, 1000),
  time_in_speed_zone: array(58, 1000),
  time_in_cadence_zone: array(59, 1000),
  time_in_power_zone: array(60, 1000),
  ...quantityFields("lap"),
  ...lapFields(PART_FIELDS),
});

export const RECORD = message(20, {
  position_lat: field(0),
  position_long: field(1),
  altitude: field(2, 5, 500),
  heart_rate: field(3),
  cadence: field(4),
  distance: field(5, 100),
  speed: field(6, 1000),
  power: field(7),
  compressed_speed_distance: bytes(8),
  temperature: field(13),
  cadence256: field(52, 256),
  fractional_cadence: field(53, 128),
  enhanced_speed: field(73, 1000),
  enhanced_altitude: field(78, 5, 500),
});

/** Further fields of records are lines of `streamKeys.ts`. */
export const recordField = ([number, scale, offset]: Wire): NumberField => field(number, scale, offset);

export const EVENT = message(21, {
  timestamp: field(253),
  event: field(0),
  event_type: field(1),
  data16: field(2),
  data: field(3),
});

export const DEVICE_INFO = message(23, {
  device_index: field(0),
  device_type: field(1),
  manufacturer: field(2),
  serial_number: field(3),
  product: field(4),
  software_version: field(5, 100),
  battery_voltage: field(10, 256),
  battery_status: field(11),
  source_type: field(25),
  product_name: text(27),
  battery_level: field(32),
});

export const ACTIVITY = message(34, {
  timestamp: field(253),
  local_timestamp: field(5),
});

/** Beat-to-beat intervals. The message has no timestamp. */
export const HRV = message(78, {
  time: array(0, 1000),
});

export const LENGTH = message(101, {
  message_index: field(254),
  timestamp: field(253),
  start_time: field(2),
  total_elapsed_time: field(3, 1000),
  total_timer_time: field(4, 1000),
  length_type: field(12),
  ...lengthFields(PART_FIELDS),
});

export const SET = message(225, {
  timestamp: field(254),
  start_time: field(6),
  category: array(7),
  category_subtype: array(8),
  ...setFields(PART_FIELDS),
});

export const TIME_IN_ZONE = message(216, {
  reference_mesg: field(0),
  reference_index: field(1),
  time_in_hr_zone: array(2, 1000),
  time_in_speed_zone: array(3, 1000),
  time_in_cadence_zone: array(4, 1000),
  time_in_power_zone: array(5, 1000),
  hr_zone_high_boundary: array(6),
  speed_zone_high_boundary: array(7, 1000),
  cadence_zone_high_boundary: array(8),
  power_zone_high_boundary: array(9),
  hr_calc_type: field(10),
  max_heart_rate: field(11),
  resting_heart_rate: field(12),
  threshold_heart_rate: field(13),
  pwr_calc_type: field(14),
  functional_threshold_power: field(15),
});

/** Zones set on the device, one message for each zone. */
export const HR_ZONE = message(8, { message_index: field(254), high: field(1) });
export const POWER_ZONE = message(9, { message_index: field(254), high: field(1) });
export const SPEED_ZONE = message(53, { message_index: field(254), high: field(0, 1000) });
export const CADENCE_ZONE = message(131, { message_index: field(254), high: field(0) });

export const USER_PROFILE = message(3, {
  weight: field(4, 10),
  resting_heart_rate: field(8),
  default_max_running_heart_rate: field(9),
  default_max_biking_heart_rate: field(10),
  default_max_heart_rate: field(11),
});

export const ZONES_TARGET = message(7, {
  max_heart_rate: field(1),
  threshold_heart_rate: field(2),
  functional_threshold_power: field(3),
});

export const HR = message(132, {
  timestamp: field(253),
  fractional_timestamp: field(0, 32768),
  filtered_bpm: array(6),
  event_timestamp: array(9),
  event_timestamp_12: bytes(10),
});

export const DEVELOPER_DATA_ID = message(207, {
  application_id: bytes(1),
  developer_data_index: field(3),
});

export const FIELD_DESCRIPTION = message(206, {
  developer_data_index: field(0),
  field_definition_number: field(1),
  fit_base_type_id: field(2),
  field_name: text(3),
  scale: field(6),
  offset: field(7),
  units: text(8),
  native_mesg_num: field(14),
  native_field_num: field(15),
});

export const BEAT_INTERVALS = message(290, {
  timestamp: field(253),
  timestamp_ms: field(0, 1000),
  time: array(1, 1000),
});

/** Members of `data` are 14 bits of time, then a bit of quality, then a bit for a gap. Other fields have one of these each. */
export const RAW_BBI = message(372, {
  timestamp: field(253),
  timestamp_ms: field(0, 1000),
  data: array(1),
  time: array(2, 1000),
  quality: array(3),
  gap: array(4),
});

export const LAP_TRIGGERS = [
  "manual",
  "time",
  "distance",
  "position_start",
  "position_lap",
  "position_waypoint",
  "position_marked",
  "session_end",
  "fitness_equipment",
] as const;

export const HR_ZONE_CALCULATIONS = ["custom", "percent_max_hr", "percent_hrr", "percent_lthr"] as const;
export const POWER_ZONE_CALCULATIONS = ["custom", "percent_ftp"] as const;

export const LENGTH_TYPES = ["idle", "active"] as const;
export const LENGTH_ACTIVE = 1;

/** The upper bits of a message index are flags. */
export const MESSAGE_INDEX_MASK = 0x0fff;

export const FILE_TYPE_ACTIVITY = 4;
export const FILE_TYPE_WORKOUT = 5;
export const EVENT_TIMER = 0;
export const EVENT_RECOVERY_HEART_RATE = 21;
export const EVENT_TYPE_START = 0;
/** `stop`, `stop_all`, `stop_disable`, `stop_disable_all`. */
export const EVENT_TYPES_STOP: ReadonlySet<number> = new Set([1, 4, 8, 9]);
