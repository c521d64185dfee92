import { describe, expect, test } from "vitest";
import { decodeOne } from "../support/fitDecode.ts";
import { FitBuilder, type Field } from "../support/fitBuilder.ts";

const GARMIN = 1;
const WAHOO = 32;
const ANTPLUS = 1;
const BLUETOOTH_LOW_ENERGY = 3;
const LOCAL = 5;

const deviceIndex = (value: number): Field => [0, "uint8", value];
const deviceType = (value: number): Field => [1, "uint8", value];
const manufacturer = (value: number): Field => [2, "uint16", value];
const serialNumber = (value: number): Field => [3, "uint32z", value];
const product = (value: number): Field => [4, "uint16", value];
const sourceType = (value: number): Field => [25, "enum", value];
const batteryVoltage = (volts: number): Field => [10, "uint16", volts * 256];
const batteryStatus = (value: number): Field => [11, "uint8", value];
const batteryLevel = (value: number): Field => [32, "uint8", value];

function devicesOf(reports: readonly (readonly Field[])[], fileId: readonly Field[] = []) {
  const file = new FitBuilder().message(0, [[0, "enum", 4], ...fileId]);
  for (const report of reports) file.message(23, report);
  return decodeOne(file.session().build()).devices;
}

describe("devices with the same index", () => {
  test.each<[string, Field, Field]>([
    ["manufacturer", manufacturer(GARMIN), manufacturer(WAHOO)],
    ["product", product(3), product(4)],
    ["serial number", serialNumber(100), serialNumber(200)],
    ["type", deviceType(120), deviceType(11)],
  ])("are told apart by %s", (_, one, other) => {
    const reports = [one, other, one, other].map((field) => [deviceIndex(3), field]);
    expect(devicesOf(reports)).toHaveLength(2);
  });

  test("keep their own later reports", () => {
    const [strap, meter] = [serialNumber(100), serialNumber(200)];
    const devices = devicesOf([
      [deviceIndex(3), strap],
      [deviceIndex(3), meter],
      [deviceIndex(3), strap, batteryStatus(4)],
      [deviceIndex(3), meter, batteryStatus(2)],
    ]);
    expect(devices).toMatchObject([
      { serial_number: 100, battery_status: "low" },
      { serial_number: 200, battery_status: "good" },
    ]);
  });

  test("are one device when a report says more about it", () => {
    const devices = devicesOf([
      [deviceIndex(3), manufacturer(WAHOO)],
      [deviceIndex(3), serialNumber(100)],
      [deviceIndex(3), manufacturer(WAHOO), product(31), serialNumber(100)],
    ]);
    expect(devices).toMatchObject([
      { manufacturer: "wahoo_fitness", product: "unknown_31", serial_number: 100 },
    ]);
  });
});

test("The device that wrote the file is described by file_id and its own report", () => {
  const fileId: Field[] = [
    [1, "uint16", GARMIN],
    [2, "uint16", 3121],
  ];
  const devices = devicesOf(
    [
      [deviceIndex(0), [5, "uint16", 950]],
      [deviceIndex(0), manufacturer(WAHOO)],
    ],
    fileId,
  );
  expect(devices).toMatchObject([
    { device_index: 0, manufacturer: "garmin", product: "Edge 530", software_version: 9.5 },
    { device_index: 0, manufacturer: "wahoo_fitness" },
  ]);
});

describe("the type of a device", () => {
  test.each<[string, readonly Field[], string | null]>([
    ["ANT+ 120", [deviceType(120), sourceType(ANTPLUS)], "heart_rate_strap"],
    ["ANT+ 11", [deviceType(11), sourceType(ANTPLUS)], "power_meter"],
    ["ANT+ 124", [deviceType(124), sourceType(ANTPLUS)], "foot_pod"],
    ["120 without a source", [deviceType(120)], "heart_rate_strap"],
    ["Bluetooth 1", [deviceType(1), sourceType(BLUETOOTH_LOW_ENERGY)], "heart_rate_strap"],
    ["Bluetooth 6", [deviceType(6), sourceType(BLUETOOTH_LOW_ENERGY)], "foot_pod"],
    ["local 4", [deviceType(4), sourceType(LOCAL)], "barometer"],
    ["local 10", [deviceType(10), sourceType(LOCAL)], "wrist_heart_rate"],
    ["an unknown type", [deviceType(99), sourceType(ANTPLUS)], null],
    ["no type", [], null],
  ])("%s", (_, fields, type) => {
    expect(devicesOf([[deviceIndex(1), manufacturer(GARMIN), ...fields]])[0]?.device_type).toBe(type);
  });
});

test("The last battery state of a device counts", () => {
  const devices = devicesOf([
    [deviceIndex(1), serialNumber(9), batteryStatus(2), batteryLevel(60), batteryVoltage(3.9)],
    [deviceIndex(1), serialNumber(9), batteryStatus(4), batteryLevel(12), batteryVoltage(3.25)],
    [deviceIndex(1), serialNumber(9), batteryStatus(7), batteryLevel(255)],
  ]);
  expect(devices).toMatchObject([
    { battery_status: "low", battery_level_in_percent: 12, battery_voltage_in_volts: 3.25 },
  ]);
});

test.each([
  [1, 4565, "garmin", "Forerunner 970"],
  [1, 5134, "garmin", "Fenix 9"],
  [1, 30063, "garmin", "TrainingPeaks Virtual Apple Tv"],
  [351, 1, "una_watch", "unknown_1"],
  [354, 1, "forto_cycling", "unknown_1"],
])("Manufacturer %i and product %i are %s and %s", (maker, number, name, productName) => {
  const [device] = devicesOf([[deviceIndex(1), manufacturer(maker), product(number)]]);
  expect(device).toMatchObject({ manufacturer: name, product: productName });
});
