import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { recordedWith } from "../../src/fit/recordedWith.ts";
import { decodeOne } from "../support/fitDecode.ts";
import { FitBuilder, type Field } from "../support/fitBuilder.ts";

const NO_DEVICE = {
  device_index: 0,
  device_type: null,
  manufacturer: null,
  product: null,
  serial_number: null,
  software_version: null,
  battery_status: null,
  battery_level_in_percent: null,
  battery_voltage_in_volts: null,
};
const of = (manufacturer: string | null, product: string | null) =>
  recordedWith([{ ...NO_DEVICE, manufacturer, product }]);
const inFile = (...fields: Field[]) =>
  decodeOne(
    new FitBuilder()
      .message(0, [[0, "enum", 4], ...fields])
      .session()
      .build(),
  ).recorded_with;

describe("the device that recorded a file", () => {
  test.each<[Field[], string | null]>([
    [
      [
        [1, "uint16", 1],
        [2, "uint16", 1836],
      ],
      "Garmin Edge 1000",
    ],
    [
      [
        [1, "uint16", 1],
        [2, "uint16", 64_000],
      ],
      "Garmin",
    ],
    [
      [
        [1, "uint16", 260],
        [2, "uint16", 1],
      ],
      "Zwift",
    ],
    [
      [
        [1, "uint16", 32],
        [8, "string", "ELEMNT BOLT"],
      ],
      "Wahoo ELEMNT BOLT",
    ],
    [
      [
        [1, "uint16", 255],
        [8, "string", "MyApp"],
      ],
      "MyApp",
    ],
    [
      [
        [1, "uint16", 255],
        [2, "uint16", 7],
      ],
      null,
    ],
    [
      [
        [1, "uint16", 89],
        [2, "uint16", 20_533],
      ],
      "Tacx Training App Win",
    ],
    [
      [
        [1, "uint16", 60_000],
        [2, "uint16", 7],
      ],
      null,
    ],
    [[], null],
  ])("is named by file_id: %j is %s", (fields, name) => {
    expect(inFile(...fields)).toBe(name);
  });

  test.each([
    ["garmin", "Garmin Edge 530", "Garmin Edge 530"],
    ["zwift", "Zwift", "Zwift"],
    ["stages_cycling", "Stages Dash L50", "Stages Dash L50"],
    ["wahoo_fitness", "WAHOO ELEMNT", "WAHOO ELEMNT"],
    ["suunto", "Suuntoid", "Suunto Suuntoid"],
    ["coros", "COROS PACE 2", "COROS PACE 2"],
    [null, "Edge 530", "Edge 530"],
    ["garmin", "Edge\u0000\u001b[31m\u202e  530\ufffd", "Garmin Edge [31m 530"],
    ["garmin", "\u0007", "Garmin"],
  ])("does not repeat its maker and has no control characters: %s %j is %s", (maker, model, name) => {
    expect(of(maker, model)).toBe(name);
  });

  test("is null without a device that wrote the file", () => {
    expect(recordedWith([])).toBeNull();
    expect(recordedWith([{ ...NO_DEVICE, device_index: 1, manufacturer: "garmin" }])).toBeNull();
  });

  test("has 1 to 64 characters without control characters, whatever the file says", () => {
    const maker = fc.constantFrom(null, "garmin", "development", "unknown_7", "wahoo_fitness");
    fc.assert(
      fc.property(
        maker,
        fc.option(fc.string({ unit: "binary", maxLength: 300 })),
        (manufacturer, product) => {
          const name = of(manufacturer, product);
          if (name === null) return;
          expect(Array.from(name).length).toBeLessThanOrEqual(64);
          expect(name).not.toMatch(/^$|^ | $|\p{C}/u);
        },
      ),
    );
  });
});
