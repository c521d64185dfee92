import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decodeActivities, type DecodedActivity, type Quantities } from "../../src/fit/index.ts";
import { withoutSessionFields } from "../support/fitBlank.ts";
import { corpusFolder, folderExists, readBytes } from "../support/fitFolders.ts";

/** Climbs below this are too short to compare. */
const SHORTEST_CLIMB_METERS = 10;

/** Computed quantities: session fields to remove, and limits of the ratio to the device's own value over all activities. */
const QUANTITIES: readonly {
  name: keyof Quantities;
  fields: readonly number[];
  median: readonly [low: number, high: number];
  medianError: number;
  smallest?: number;
}[] = [
  {
    name: "ascent_in_meters",
    fields: [22],
    median: [0.97, 1.05],
    medianError: 0.08,
    smallest: SHORTEST_CLIMB_METERS,
  },
  {
    name: "descent_in_meters",
    fields: [23],
    median: [0.97, 1.05],
    medianError: 0.08,
    smallest: SHORTEST_CLIMB_METERS,
  },
  { name: "average_heart_rate_in_beats_per_minute", fields: [16], median: [0.995, 1.005], medianError: 0.01 },
  { name: "average_power_in_watts", fields: [20], median: [0.99, 1.01], medianError: 0.01 },
  { name: "normalized_power_in_watts", fields: [34], median: [0.98, 1.02], medianError: 0.02 },
  { name: "work_in_kilojoules", fields: [48], median: [0.99, 1.01], medianError: 0.01 },
  { name: "average_cadence_in_cycles_per_minute", fields: [18, 92], median: [0.99, 1.01], medianError: 0.02 },
  { name: "moving_time_in_seconds", fields: [59, 78], median: [0.99, 1.01], medianError: 0.01 },
  { name: "timer_time_in_seconds", fields: [8], median: [0.995, 1.005], medianError: 0.005 },
];

const files = folderExists(corpusFolder)
  ? readdirSync(corpusFolder).filter((file) => file.endsWith(".fit"))
  : [];

function activitiesOf(bytes: Uint8Array): readonly DecodedActivity[] {
  const result = decodeActivities(bytes, { fallbackStartInSeconds: null });
  return result.ok ? result.activities : [];
}

/** Ratios of computed to recorded values, over the activities that have both. */
function ratiosOf(name: keyof Quantities, fields: readonly number[], smallest: number): number[] {
  return files.flatMap((file) => {
    const bytes = readBytes(corpusFolder, file);
    const computed = activitiesOf(withoutSessionFields(bytes, new Set(fields)));
    return activitiesOf(bytes).flatMap((recorded, i) => {
      const [own, ours] = [recorded[name], computed[i]?.[name] ?? null];
      if (own === null || ours === null || own < smallest || recorded.derived.includes(name)) return [];
      return computed[i]?.derived.includes(name) === true ? [ours / own] : [];
    });
  });
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((one, other) => one - other)[numbers.length >> 1] ?? NaN;
}

describe.skipIf(files.length === 0)("computed values agree with the device's own, which were removed", () => {
  test.each(QUANTITIES)("$name", ({ name, fields, median: [low, high], medianError, smallest = 1 }) => {
    const ratios = ratiosOf(name, fields, smallest);
    expect(ratios.length).toBeGreaterThan(4);
    expect(median(ratios)).toBeGreaterThanOrEqual(low);
    expect(median(ratios)).toBeLessThanOrEqual(high);
    expect(median(ratios.map((ratio) => Math.abs(ratio - 1)))).toBeLessThanOrEqual(medianError);
  });
});
