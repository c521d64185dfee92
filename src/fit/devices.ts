import { manufacturerName, productName } from "./names.ts";
import type { DEVICE_INFO, FILE_ID, Values } from "./profile.ts";
import type { DecodedDevice } from "./types.ts";
import { rounded } from "./values.ts";

export type DeviceInfo = Values<typeof DEVICE_INFO>;

/** `device_index` of the device that wrote the file. */
const CREATOR = 0;
const MAX_DEVICES = 64;

/** `source_type` of sensors inside the device, and of both kinds of Bluetooth. */
const SOURCE_LOCAL = 5;
const SOURCES_BLUETOOTH: ReadonlySet<number> = new Set([2, 3]);

/** Types of ANT+ devices. Numbers and roles are those of the FIT profile; the words are ours. */
const ANT_TYPES: Readonly<Record<number, string>> = {
  11: "power_meter",
  12: "environment_sensor",
  15: "speed_and_distance_sensor",
  16: "remote_control",
  17: "trainer",
  18: "blood_pressure_monitor",
  20: "electric_bike",
  25: "environment_sensor",
  26: "racket_sensor",
  27: "control_hub",
  31: "muscle_oxygen_sensor",
  34: "shifting",
  35: "bike_light",
  36: "bike_light",
  38: "extended_display",
  40: "bike_radar",
  46: "aero_sensor",
  119: "scale",
  120: "heart_rate_strap",
  121: "speed_and_cadence_sensor",
  122: "cadence_sensor",
  123: "speed_sensor",
  124: "foot_pod",
};
const BLUETOOTH_TYPES: readonly string[] = [
  "connected_gps",
  "heart_rate_strap",
  "power_meter",
  "speed_and_cadence_sensor",
  "speed_sensor",
  "cadence_sensor",
  "foot_pod",
  "trainer",
];
const LOCAL_TYPES: Readonly<Record<number, string>> = {
  0: "gps",
  1: "glonass",
  2: "gps_and_glonass",
  3: "accelerometer",
  4: "barometer",
  5: "thermometer",
  10: "wrist_heart_rate",
  12: "sensor_hub",
};
const BATTERY_STATES: Readonly<Record<number, string>> = {
  1: "new",
  2: "good",
  3: "ok",
  4: "low",
  5: "critical",
  6: "charging",
};

/** Fields that identify a device. Two reports with different values are of two devices. */
const IDENTITY = ["device_index", "manufacturer", "product", "serial_number"] as const;
const BATTERY_UNKNOWN = 7;

/**
 * Devices of a chained file. A device reports many times, each time with some of its fields, and several devices can use
 * one `device_index`. Reports of one index are merged unless they differ in manufacturer, product, serial number or type.
 */
export class Devices {
  private readonly reports: DeviceInfo[] = [];

  /** `file_id` describes the device that wrote the file. */
  addCreator({ type: _type, ...identity }: Values<typeof FILE_ID>): void {
    if (identity.manufacturer !== undefined) this.add({ ...identity, device_index: CREATOR });
  }

  add(report: DeviceInfo): void {
    const known = this.matching(report);
    if (known !== undefined) {
      Object.assign(known, { ...report, ...known, ...stateOf(report) });
    } else if (this.reports.length < MAX_DEVICES) this.reports.push({ ...report });
  }

  /** Returns the devices, first the one that wrote the file. */
  list(): DecodedDevice[] {
    const isCreator = (device: DeviceInfo) => device.device_index === CREATOR;
    const others = this.reports.filter((device) => !isCreator(device));
    return [...this.reports.filter(isCreator), ...others].map(deviceOf);
  }

  /** Returns the last device that the report can be about, preferring one with the same serial number. */
  private matching(report: DeviceInfo): DeviceInfo | undefined {
    const candidates = this.reports.filter((known) => isSameDevice(known, report));
    const { serial_number: serial } = report;
    return candidates.findLast((known) => known.serial_number === serial) ?? candidates.at(-1);
  }
}

/** Returns the fields that describe the state at the time of a report. The last report counts. */
function stateOf({ battery_voltage, battery_status, battery_level }: DeviceInfo): DeviceInfo {
  return {
    ...(battery_voltage === undefined ? {} : { battery_voltage }),
    ...(battery_level === undefined ? {} : { battery_level }),
    ...(battery_status === undefined || battery_status === BATTERY_UNKNOWN ? {} : { battery_status }),
  };
}

function isSameDevice(one: DeviceInfo, other: DeviceInfo): boolean {
  if (one.device_index !== other.device_index) return false;
  const differs = IDENTITY.some(
    (name) => one[name] !== undefined && other[name] !== undefined && one[name] !== other[name],
  );
  const [type, otherType] = [typeOf(one), typeOf(other)];
  return !differs && (type === null || otherType === null || type === otherType);
}

function typeOf({ device_type: type, source_type: source }: DeviceInfo): string | null {
  if (type === undefined) return null;
  if (source === SOURCE_LOCAL) return LOCAL_TYPES[type] ?? null;
  if (source !== undefined && SOURCES_BLUETOOTH.has(source)) return BLUETOOTH_TYPES[type] ?? null;
  return ANT_TYPES[type] ?? null;
}

function deviceOf(device: DeviceInfo): DecodedDevice {
  const { manufacturer, product, product_name } = device;
  return {
    device_index: device.device_index ?? null,
    device_type: typeOf(device),
    manufacturer: manufacturer === undefined ? null : manufacturerName(manufacturer),
    product: product_name ?? (product === undefined ? null : productName(manufacturer, product)),
    serial_number: device.serial_number ?? null,
    software_version: rounded(device.software_version, 2),
    battery_status:
      device.battery_status === undefined ? null : (BATTERY_STATES[device.battery_status] ?? null),
    battery_level_in_percent: rounded(device.battery_level, 0),
    battery_voltage_in_volts: rounded(device.battery_voltage, 2),
  };
}
