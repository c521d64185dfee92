import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { columnsOf, decodeOne } from "../support/fitDecode.ts";
import { activityFile, T0_UNIX, type BaseTypeName, type Field } from "../support/fitBuilder.ts";

/** Base types that can represent every reading of the table below. */
const INTEGERS: readonly BaseTypeName[] = [
  "uint16",
  "sint16",
  "uint32",
  "sint32",
  "uint64",
  "sint64",
  "float64",
];
const FIELDS: readonly { key: string; number: number; scale: number; offset: number; max: number }[] = [
  { key: "heart_rate_in_beats_per_minute", number: 3, scale: 1, offset: 0, max: 250 },
  { key: "cadence_in_cycles_per_minute", number: 4, scale: 1, offset: 0, max: 250 },
  { key: "power_in_watts", number: 7, scale: 1, offset: 0, max: 3_000 },
  { key: "distance_in_meters", number: 5, scale: 100, offset: 0, max: 30_000 },
  { key: "speed_in_meters_per_second", number: 6, scale: 1000, offset: 0, max: 30_000 },
  { key: "altitude_in_meters", number: 2, scale: 5, offset: 500, max: 30_000 },
  { key: "temperature_in_celsius", number: 13, scale: 1, offset: 0, max: 100 },
  { key: "grade_in_percent", number: 9, scale: 100, offset: 0, max: 10_000 },
  { key: "respiration_rate_in_breaths_per_minute", number: 108, scale: 100, offset: 0, max: 9_000 },
  { key: "vertical_oscillation_in_millimeters", number: 39, scale: 10, offset: 0, max: 2_000 },
  { key: "stance_time_in_milliseconds", number: 41, scale: 10, offset: 0, max: 5_000 },
  { key: "depth_in_meters", number: 92, scale: 1000, offset: 0, max: 30_000 },
];

const field = fc
  .record({
    of: fc.constantFrom(...FIELDS),
    type: fc.constantFrom(...INTEGERS),
    raw: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ of, type, raw }) => ({ ...of, type, wire: 1 + Math.floor(raw * (of.max - 1)) }));
/** Unknown fields of any size. */
const unknownField = fc
  .record({
    number: fc.integer({ min: 140, max: 250 }),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 20 }),
  })
  .map(({ number, bytes }): Field => [number, "byte", bytes]);
const record = fc.record({
  fields: fc.uniqueArray(field, { selector: ({ number }) => number, maxLength: 12 }),
  unknown: fc.uniqueArray(unknownField, { selector: ([number]) => number, maxLength: 3 }),
  bigEndian: fc.boolean(),
  local: fc.integer({ min: 0, max: 3 }),
  isCompressed: fc.boolean(),
  developer: fc.option(fc.integer({ min: 0, max: 60_000 }), { nil: null }),
  step: fc.integer({ min: 1, max: 31 }),
});

describe("every choice of a writer", () => {
  test("of definitions, byte orders, base types, headers and developer fields gives the same readings", () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 40 }), (records) => {
        const file = activityFile().record(0, [], { local: 4 }).fieldDescription(9, "app", "uint16");
        const rows: Record<string, number>[] = [{ time_in_seconds: 0 }];
        let second = 0;
        for (const { fields, unknown, bigEndian, local, isCompressed, developer, step } of records) {
          second += step;
          const row: Record<string, number> = { time_in_seconds: second };
          for (const { key, wire, scale, offset } of fields) row[key] = (wire - offset * scale) / scale;
          if (developer !== null) row["developer.app"] = developer;
          rows.push(row);
          file.record(
            isCompressed ? null : second,
            [...unknown, ...fields.map(({ number, type, wire }): Field => [number, type, wire])],
            {
              local,
              bigEndian,
              ...(isCompressed ? { compressed: second & 0x1f } : {}),
              ...(developer === null ? {} : { developer: [[9, 0, "uint16", developer] as const] }),
            },
          );
        }
        const bytes = file.build();
        const columns = columnsOf(bytes);
        for (const [key, column] of Object.entries(columns)) {
          expect([key, column]).toEqual([key, rows.map((row) => row[key] ?? null)]);
        }
        expect(new Set(Object.keys(columns))).toEqual(new Set(rows.flatMap((row) => Object.keys(row))));
        expect(decodeOne(bytes)).toMatchObject({
          start_time_in_seconds: T0_UNIX,
          elapsed_time_in_seconds: second,
        });
      }),
      { numRuns: 300 },
    );
  });

  test("of the byte of the left/right balance gives a share of the right side from 0 to 100, or nothing", () => {
    const key = "right_balance_in_percent";
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 50 }), (wires) => {
        const file = activityFile();
        wires.forEach((wire, second) => {
          file.record(second, [
            [7, "uint16", 1],
            [30, "uint8", wire],
          ]);
        });
        const bytes = file.build();
        const shares = wires.map((wire) => (wire >= 128 && wire <= 228 ? wire - 128 : null));
        const isStream = shares.some((share) => share !== null);
        expect(columnsOf(bytes)[key]).toEqual(isStream ? shares : undefined);
        expect(decodeOne(bytes).streams.includes(key)).toBe(isStream);
      }),
    );
  });
});
