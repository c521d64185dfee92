import type { Columns, Trace } from "./traces.ts";
import { number } from "../../format.ts";

/** Colors of a route: classes of a trace's values. */

export const CLASSES = 6;
const GRADIENT = "gradient";
/** Traces that color the route. The gradient is computed. */
const COLORINGS: ReadonlySet<string> = new Set([
  "speed_in_meters_per_second",
  "heart_rate_in_beats_per_minute",
  "power_in_watts",
  GRADIENT,
]);
/** Values below and above these shares have the first and last color, so that outliers do not decide. */
const [LOW_SHARE, HIGH_SHARE] = [0.05, 0.95];
/** The gradient is that of this distance around a row: altitudes of single records are noise. */
const GRADIENT_METERS = 100;
/** The colors of a flat route do not show gradients smaller than this, in percent. */
const LEAST_GRADIENT = 3;

export interface Coloring {
  trace: Trace;
  /** The last reading at or before each row. */
  values: number[];
  low: number;
  high: number;
}

/** Returns the traces that can color a route. */
export function coloringTraces(traces: readonly Trace[], columns: Columns): Trace[] {
  const gradient = gradientOf(columns);
  return [...traces, ...(gradient === null ? [] : [gradient])].filter(({ key }) => COLORINGS.has(key));
}

export function coloringOf(trace: Trace): Coloring {
  const sizes = trace.values.flatMap((value) => (value === null || value === 0 ? [] : [Math.abs(value)]));
  const known = Float64Array.from(sizes).sort();
  const share = (part: number) => known[Math.round((known.length - 1) * part)] ?? 0;
  let last = trace.isSigned ? 0 : (known[0] ?? 0);
  const values = trace.values.map((value) => (last = value ?? last));
  const high = share(HIGH_SHARE);
  if (!trace.isSigned) return { trace, values, low: share(LOW_SHARE), high };
  const most = Math.max(LEAST_GRADIENT, Math.ceil(high));
  return { trace, values, low: -most, high: most };
}

export function classOf({ values, low, high }: Coloring, row: number): number {
  const value = values[row] ?? low;
  if (high <= low) return 0;
  return Math.max(0, Math.min(CLASSES - 1, Math.floor(((value - low) / (high - low)) * CLASSES)));
}

/** Returns the gradient at each row from altitude and distance, or null without either. */
function gradientOf(columns: Columns): Trace | null {
  const distances = columns["distance_in_meters"] ?? [];
  const altitudes = columns["altitude_in_meters"] ?? [];
  const rows: number[] = [];
  let reached = -Infinity;
  distances.forEach((meters, row) => {
    if (meters === null || (altitudes[row] ?? null) === null || meters < reached) return;
    rows.push(row);
    reached = meters;
  });
  const [first = 0, end = 0] = [rows[0], rows.at(-1)];
  if ((distances[end] ?? 0) - (distances[first] ?? 0) < GRADIENT_METERS) return null;
  const values: (number | null)[] = distances.map(() => null);
  let [from, to] = [0, 0];
  const at = (index: number) => distances[rows[index] ?? 0] ?? 0;
  rows.forEach((row, index) => {
    while (at(index) - at(from) > GRADIENT_METERS / 2) from += 1;
    while (to < rows.length - 1 && at(to) - at(index) < GRADIENT_METERS / 2) to += 1;
    const meters = at(to) - at(from);
    const climbed = (altitudes[rows[to] ?? 0] ?? 0) - (altitudes[rows[from] ?? 0] ?? 0);
    // Where the device did not move far, the gradient is unknown.
    values[row] = meters < GRADIENT_METERS / 4 ? null : (100 * climbed) / meters;
  });
  return {
    key: GRADIENT,
    title: "Gradient",
    unit: "%",
    color: "--altitude",
    isSigned: true,
    values,
    format: (value) => number(value, 0),
  };
}
