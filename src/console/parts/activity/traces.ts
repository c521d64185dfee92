import type { Streams } from "../../../fit/types.ts";
import { NONE, number, spaced } from "../../format.ts";
import { bareSpeed, cadenceUnit, speedFactor, speedUnit } from "../../units.ts";

/** Traces: streams of an activity in the units of its sport. Also their gaps, smoothing and averages. */

export type Columns = Streams["columns"];
type Values = readonly (number | null)[];

export interface Trace {
  key: string;
  title: string;
  unit: string;
  /** Custom property with the colour of the line. */
  color: string;
  /** Whether the area ends at zero instead of at the bottom of the chart. */
  isSigned: boolean;
  /** Whether larger values are further down. */
  isDown?: boolean;
  values: Values;
  /** What the line is drawn through: undefined continues it, null interrupts it. Default: `values`. */
  drawn?: readonly (number | null | undefined)[];
  /** Returns a value without its unit. */
  format: (value: number | null) => string;
}

const SPEED = "speed_in_meters_per_second";
const ALTITUDE = "altitude_in_meters";
const DEPTH = "depth_in_meters";
const CADENCE = "cadence_in_cycles_per_minute";

const STANDARD: readonly (readonly [string, string, string, number, string])[] = [
  ["heart_rate_in_beats_per_minute", "Heart rate", "bpm", 0, "--heart"],
  ["power_in_watts", "Power", "W", 0, "--power"],
  [SPEED, "Speed", "km/h", 1, "--speed"],
  [ALTITUDE, "Altitude", "m", 0, "--altitude"],
  [CADENCE, "Cadence", "/min", 0, "--cadence"],
  ["temperature_in_celsius", "Temperature", "°C", 0, "--heart"],
  ["respiration_rate_in_breaths_per_minute", "Respiration rate", "/min", 1, "--heart"],
  ["grade_in_percent", "Grade", "%", 1, "--altitude"],
  ["right_balance_in_percent", "Balance, right", "%", 0, "--power"],
  ["left_torque_effectiveness_in_percent", "Torque effectiveness, left", "%", 1, "--power"],
  ["right_torque_effectiveness_in_percent", "Torque effectiveness, right", "%", 1, "--power"],
  ["left_pedal_smoothness_in_percent", "Pedal smoothness, left", "%", 1, "--power"],
  ["right_pedal_smoothness_in_percent", "Pedal smoothness, right", "%", 1, "--power"],
  ["combined_pedal_smoothness_in_percent", "Pedal smoothness", "%", 1, "--power"],
  ["vertical_oscillation_in_millimeters", "Vertical oscillation", "mm", 1, "--speed"],
  ["stance_time_in_milliseconds", "Stance time", "ms", 0, "--speed"],
  ["stance_time_balance_in_percent", "Stance time balance", "%", 1, "--speed"],
  ["step_length_in_millimeters", "Step length", "mm", 0, "--speed"],
  ["vertical_ratio_in_percent", "Vertical ratio", "%", 1, "--speed"],
  [DEPTH, "Depth", "m", 1, "--altitude"],
];

/** Traces that have a chart from the beginning, if the activity has them. */
export const MAIN_KEYS: ReadonlySet<string> = new Set([
  "heart_rate_in_beats_per_minute",
  "power_in_watts",
  SPEED,
  ALTITUDE,
  CADENCE,
  DEPTH,
]);

const DEVELOPER_PREFIX = "developer.";
/** Number of traces that have a chart from the beginning. */
export const FIRST_CHARTS = 4;

/** Returns whether a column is worth a chart: not empty, and not zero throughout. */
export function isMeasured(values: Values | undefined): boolean {
  return values?.some((value) => value !== null && value !== 0) ?? false;
}

export function isVaried(values: Values): boolean {
  const first = values.find((value) => value !== null);
  return values.some((value) => value !== null && value !== first);
}

/** Returns whether a trace has a chart from the beginning. A single reading, or a constant altitude indoors, shows nothing. */
export function isShownFirst({ key, values }: Trace): boolean {
  const isRead = values.filter((value) => value !== null).length > 1;
  return isRead && (key !== ALTITUDE || isVaried(values));
}

/** Returns the number of charts that the activity's streams may have at first, so that the page can reserve their room. */
export function countCharts(keys: readonly string[]): number {
  return Math.min(FIRST_CHARTS, keys.filter((key) => MAIN_KEYS.has(key)).length);
}

export function tracesOf(columns: Columns, sport: string): Trace[] {
  const { name, unit: speedName, paceMeters } = speedUnit(sport);
  const steps = cadenceUnit(sport);
  const standard = STANDARD.flatMap(([key, title, unit, digits, color]): Trace[] => {
    const values = columns[key];
    if (values === undefined || !isMeasured(values)) return [];
    const isDown = key === DEPTH;
    const trace = { key, title, unit, color, isSigned: key === "grade_in_percent", isDown, values };
    const scaled = (factor: number) => values.map((value) => (value === null ? null : value * factor));
    if (key === SPEED) {
      const factor = speedFactor(sport);
      const format = (value: number | null) => bareSpeed(value === null ? null : value / factor, sport);
      return [{ ...trace, title: name, unit: speedName, values: scaled(factor), format }];
    }
    if (key === CADENCE) {
      return [{ ...trace, unit: steps.unit, values: scaled(steps.factor), format: (value) => number(value) }];
    }
    return [{ ...trace, format: (value) => number(value, digits) }];
  });
  const developer = Object.entries(columns).flatMap(([key, values]): Trace[] =>
    !key.startsWith(DEVELOPER_PREFIX) || !isMeasured(values)
      ? []
      : [
          {
            key,
            title: spaced(key.slice(DEVELOPER_PREFIX.length)),
            unit: "",
            color: "--wait",
            isSigned: true,
            values,
            format: (value) => (value === null ? NONE : String(Number(value.toPrecision(4)))),
          },
        ],
  );
  // What a sport is about comes first.
  const first = paceMeters === null ? DEPTH : SPEED;
  const names = new Set(standard.map(({ title }) => title));
  return [
    ...standard.filter(({ key }) => key === first),
    ...standard.filter(({ key }) => key !== first),
    ...developer.map((trace) =>
      names.has(trace.title) ? { ...trace, title: `${trace.title} (developer)` } : trace,
    ),
  ];
}

/** A value with its unit, or a dash. */
export function withUnit(trace: Trace, value: number | null): string {
  const text = trace.format(value);
  return text === NONE || trace.unit === "" ? text : `${text}\u00a0${trace.unit}`;
}

/** The lowest and the highest value. A pace of 0 m/s has no number. */
export function rangeOf(trace: Trace, low: number | null, high: number | null): string {
  const [from, to] = [trace.format(low), withUnit(trace, high)];
  if (from === trace.format(high)) return to;
  return from === NONE ? `up to ${to}` : `${from} to ${to}`;
}

/**
 * Returns values to draw: undefined instead of null between readings that are near each other. Devices write records
 * that have only some of the readings; a line continues over those.
 */
export function bridged(values: Values, columns: Columns): (number | null | undefined)[] {
  const times = columns["time_in_seconds"] ?? [];
  const known = values.flatMap((value, row) => (value === null ? [] : [row]));
  const steps = known.map((row, index) => (times[row] ?? 0) - (times[known[index - 1] ?? 0] ?? 0));
  const longest = Math.min(longestStepOf(steps), Math.max(BRIDGED_SECONDS, BRIDGED_STEPS * medianOf(steps)));
  const drawn: (number | null | undefined)[] = [...values];
  known.forEach((row, index) => {
    if (index > 0 && (steps[index] ?? 0) <= longest) drawn.fill(undefined, (known[index - 1] ?? 0) + 1, row);
  });
  return drawn;
}

function medianOf(steps: readonly number[]): number {
  return Float64Array.from(steps).sort()[steps.length >> 1] ?? 0;
}

/** Returns the longest usual one of the times between readings. Times in a thinned stream are uneven. */
function longestStepOf(steps: readonly number[]): number {
  const sorted = Float64Array.from(steps).sort();
  const share = (part: number) => sorted[Math.floor(sorted.length * part)] ?? 0;
  return Math.max(GAP_SECONDS, GAP_STEPS * share(0.5), GAP_LONG_STEPS * share(0.95));
}

/** Returns the value of a row, or the last one before it while the line continues. */
export function valueAt({ values, drawn }: Trace, row: number): number | null {
  if (drawn === undefined) return values[row] ?? null;
  let found = row;
  while (found > 0 && drawn[found] === undefined) found -= 1;
  return values[found] ?? null;
}

/** Longest time between readings over which lines continue: in seconds, and in median steps. A pool has a reading a length. */
const BRIDGED_SECONDS = 60;
const BRIDGED_STEPS = 2.5;

/** Shortest time without records that interrupts lines: in seconds, in median steps, and in steps of the 95th percentile. */
const GAP_SECONDS = 10;
const GAP_STEPS = 5;
const GAP_LONG_STEPS = 3;

/** Returns the rows after a time without records. The lines of charts and maps are interrupted there. */
export function gapsOf(columns: Columns): ReadonlySet<number> {
  const times = columns["time_in_seconds"] ?? [];
  const steps: number[] = [];
  for (let row = 1; row < times.length; row++) steps.push((times[row] ?? 0) - (times[row - 1] ?? 0));
  const longest = longestStepOf(steps);
  return new Set(steps.flatMap((step, index) => (step > longest ? [index + 1] : [])));
}

export type AxisKind = "time" | "moving" | "distance";

export interface Axis {
  kind: AxisKind;
  /** Positions in seconds or kilometers. Never decrease. */
  x: number[];
  /** The row of each position, or -1 for a gap. */
  rows: number[];
  /** The index of the position of each row. A row without one has that of the row before it. */
  indexOfRow: number[];
  /** Pauses, from and to. */
  pauses: (readonly [number, number])[];
}

/** Returns the positions of the rows along an axis. Omits rows without a position, or with a lower one. */
export function axisOf(columns: Columns, kind: AxisKind, gaps: ReadonlySet<number>): Axis {
  const column = columns[kind === "distance" ? "distance_in_meters" : "time_in_seconds"] ?? [];
  const axis: Axis = { kind, x: [], rows: [], indexOfRow: [], pauses: [] };
  let pausedSeconds = 0;
  let last = -Infinity;
  let isAfterGap = false;
  column.forEach((value, row) => {
    const isGap = gaps.has(row);
    if (isGap && kind === "moving") pausedSeconds += (value ?? 0) - (column[row - 1] ?? 0);
    isAfterGap ||= isGap;
    const place = value === null ? last : kind === "distance" ? value / 1000 : value - pausedSeconds;
    if (value === null || place < last) {
      axis.indexOfRow.push(Math.max(0, axis.x.length - 1));
      return;
    }
    if (isAfterGap && axis.x.length > 0) {
      axis.pauses.push([last, place]);
      axis.x.push((last + place) / 2);
      axis.rows.push(-1);
    }
    isAfterGap = false;
    last = place;
    axis.x.push(place);
    axis.rows.push(row);
    axis.indexOfRow.push(axis.x.length - 1);
  });
  return axis;
}

/** Returns the first row at or after a time, or the last row. */
export function rowAt(columns: Columns, seconds: number): number {
  const times = columns["time_in_seconds"] ?? [];
  let [low, high] = [0, times.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) < seconds) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low);
}

/** Returns the averages over `seconds` around each row. They do not extend over gaps. */
export function smoothed(
  values: Values,
  columns: Columns,
  gaps: ReadonlySet<number>,
  seconds: number,
): Values {
  if (seconds === 0) return values;
  const times = columns["time_in_seconds"] ?? [];
  const result: (number | null)[] = [];
  let [first, end, sum, count, segmentEnd] = [0, 0, 0, 0, 0];
  for (let row = 0; row < values.length; row++) {
    if (row >= segmentEnd) {
      segmentEnd = row + 1;
      while (segmentEnd < values.length && !gaps.has(segmentEnd)) segmentEnd += 1;
      [first, end, sum, count] = [row, row, 0, 0];
    }
    const now = times[row] ?? 0;
    for (; end < segmentEnd && (times[end] ?? 0) <= now + seconds / 2; end++) {
      const value = values[end] ?? null;
      if (value !== null) [sum, count] = [sum + value, count + 1];
    }
    for (; first < row && (times[first] ?? 0) < now - seconds / 2; first++) {
      const value = values[first] ?? null;
      if (value !== null) [sum, count] = [sum - value, count - 1];
    }
    result.push(values[row] === null || count === 0 ? null : sum / count);
  }
  return result;
}

/** A range of rows, both included. */
export type Range = readonly [from: number, to: number];

/** Returns the average over the time of the rows. Time in gaps does not count. */
export function averageOf(
  values: Values,
  columns: Columns,
  gaps: ReadonlySet<number>,
  [from, to]: Range,
): number | null {
  const times = columns["time_in_seconds"] ?? [];
  let [sum, weight] = [0, 0];
  for (let row = from; row <= to; row++) {
    const value = values[row] ?? null;
    if (value === null) continue;
    const before = row === 0 || gaps.has(row) ? 0 : (times[row] ?? 0) - (times[row - 1] ?? 0);
    // Records of the same second count a little, so that a stream without times has an average.
    const seconds = Math.max(before, 1e-3);
    sum += value * seconds;
    weight += seconds;
  }
  return weight === 0 ? null : sum / weight;
}

/** Smaller changes of altitude are noise. */
const CLIMB_METERS = 2;

/** Returns time without gaps, distance and ascent of a range. */
export function sumsOf(columns: Columns, gaps: ReadonlySet<number>, [from, to]: Range) {
  const times = columns["time_in_seconds"] ?? [];
  const distances = columns["distance_in_meters"] ?? [];
  const altitudes = columns["altitude_in_meters"];
  let [seconds, ascent] = [0, 0];
  let valley: number | null = null;
  let [firstMeters, lastMeters]: [number | null, number | null] = [null, null];
  for (let row = from; row <= to; row++) {
    if (row > from && !gaps.has(row)) seconds += (times[row] ?? 0) - (times[row - 1] ?? 0);
    firstMeters ??= distances[row] ?? null;
    lastMeters = distances[row] ?? lastMeters;
    const altitude = altitudes?.[row] ?? null;
    if (altitude === null) continue;
    if (valley === null || altitude < valley) valley = altitude;
    else if (altitude - valley >= CLIMB_METERS) {
      ascent += altitude - valley;
      valley = altitude;
    }
  }
  const meters = firstMeters === null || lastMeters === null ? null : lastMeters - firstMeters;
  return { seconds, meters, ascent: altitudes === undefined ? null : ascent };
}

/** Maximum number of rows that charts draw. */
const MOST_ROWS = 20_000;

/** Returns columns of at most `MOST_ROWS` rows at even distances. */
export function thinned(columns: Columns): Columns {
  const count = (columns["time_in_seconds"] ?? []).length;
  const step = Math.ceil(count / MOST_ROWS);
  if (step <= 1) return columns;
  const kept = Object.entries(columns).map(
    ([key, values]) => [key, values.filter((_, row) => row % step === 0)] as const,
  );
  return Object.fromEntries(kept);
}

/** Returns columns whose distance begins at 0. Some files count it on through the sessions before. */
export function fromOwnStart(columns: Columns, sessionIndex: number): Columns {
  const distances = columns["distance_in_meters"];
  const first = distances?.find((value) => value !== null) ?? 0;
  if (sessionIndex === 0 || distances === undefined || first === 0) return columns;
  return {
    ...columns,
    distance_in_meters: distances.map((value) => (value === null ? null : value - first)),
  };
}
