import { niceAbove, niceBelow } from "./scale.ts";
import type { Columns } from "./traces.ts";

/** The route of an activity as points of a drawing. */

/** Length of the longer side of the drawing, in SVG units. */
const SIDE = 400;
const MARGIN = 24;
/** The shorter side has at least this length, so that the legend's marks fit. */
const LEAST_SIDE = 160;

/** Room below the route for the scale bar. */
const SCALE_ROOM = 12;

const METERS_PER_DEGREE = 111_195;

export type Point = readonly [x: number, y: number];

export interface Drawing {
  /** The point of each row, or null without a position. */
  points: (Point | null)[];
  /** Rows before which the line is interrupted. */
  breaks: ReadonlySet<number>;
  width: number;
  height: number;
  unitsPerMeter: number;
}

/** Smaller extents are the noise of a device that did not move. */
const LEAST_EXTENT_METERS = 15;

/** Returns an equirectangular projection about the middle latitude, or null without a route. */
export function project(columns: Columns, gaps: ReadonlySet<number>): Drawing | null {
  const latitudes = columns["latitude_in_degrees"] ?? [];
  const longitudes = columns["longitude_in_degrees"] ?? [];
  const places = latitudes.map((latitude, row) => {
    const longitude = longitudes[row] ?? null;
    return latitude === null || longitude === null ? null : ([latitude, longitude] as const);
  });
  const known = places.filter((place) => place !== null);
  const first = known[0];
  if (first === undefined) return null;
  const middle = known.reduce((sum, [latitude]) => sum + latitude, 0) / known.length;
  const squeeze = Math.cos((middle * Math.PI) / 180);
  const meters = places.map((place): Point | null => {
    if (place === null) return null;
    // Keeps longitudes continuous across the date line.
    const turn = place[1] - first[1];
    const east = (turn - 360 * Math.round(turn / 360)) * squeeze * METERS_PER_DEGREE;
    return [east, -place[0] * METERS_PER_DEGREE];
  });
  const { left, top, across, down } = extentOf(meters);
  if (Math.max(across, down) < LEAST_EXTENT_METERS) return null;
  const unitsPerMeter = (SIDE - 2 * MARGIN) / Math.max(across, down);
  const width = Math.max(LEAST_SIDE, across * unitsPerMeter + 2 * MARGIN);
  const inner = Math.max(LEAST_SIDE, down * unitsPerMeter + 2 * MARGIN);
  const height = inner + SCALE_ROOM;
  const [startX, startY] = [(width - across * unitsPerMeter) / 2, (inner - down * unitsPerMeter) / 2];
  const points = meters.map((place): Point | null =>
    place === null
      ? null
      : [startX + (place[0] - left) * unitsPerMeter, startY + (place[1] - top) * unitsPerMeter],
  );
  return { points, breaks: breaksOf(meters, columns, gaps), width, height, unitsPerMeter };
}

export function extentOf(points: readonly (Point | null)[]) {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const point of points) {
    if (point === null) continue;
    left = Math.min(left, point[0]);
    right = Math.max(right, point[0]);
    top = Math.min(top, point[1]);
    bottom = Math.max(bottom, point[1]);
  }
  return { left, top, across: right - left, down: bottom - top };
}

/** A position that moves this many times further than the distance is a jump. Shorter ones are noise. */
const JUMP_FACTOR = 5;
const JUMP_METERS = 100;
/** Without distances, a faster move is a jump. */
const JUMP_METERS_PER_SECOND = 70;

/** Returns the rows before which the device paused, or its position jumped. */
function breaksOf(
  meters: readonly (Point | null)[],
  columns: Columns,
  gaps: ReadonlySet<number>,
): ReadonlySet<number> {
  const breaks = new Set(gaps);
  const times = columns["time_in_seconds"] ?? [];
  const distances = columns["distance_in_meters"] ?? [];
  let before: number | null = null;
  meters.forEach((point, row) => {
    if (point === null) return;
    const last: Point | null = before === null ? null : (meters[before] ?? null);
    if (last !== null && before !== null) {
      const moved = Math.hypot(point[0] - last[0], point[1] - last[1]);
      const [from, to] = [distances[before] ?? null, distances[row] ?? null];
      const seconds = (times[row] ?? 0) - (times[before] ?? 0);
      const plausible =
        from === null || to === null
          ? Math.max(1, seconds) * JUMP_METERS_PER_SECOND
          : JUMP_FACTOR * Math.max(0, to - from);
      if (moved > JUMP_METERS && moved > plausible) breaks.add(row);
      for (let gap = before + 1; gap < row; gap++) if (gaps.has(gap)) breaks.add(row);
    }
    before = row;
  });
  return breaks;
}

/** Points closer to the last one are omitted, in SVG units. */
const CLOSE = 0.7;

/** Returns a path for each class of the rows. A row's class is that of the line to it. */
export function pathsOf(
  { points, breaks }: Pick<Drawing, "points" | "breaks">,
  classes: number,
  classOf: (row: number) => number,
  [from, to]: readonly [number, number],
): string[] {
  const paths = Array.from({ length: classes }, () => "");
  let last: Point | null = null;
  let lastClass = -1;
  let isBroken = false;
  for (let row = from; row <= to; row++) {
    if (breaks.has(row)) isBroken = true;
    const point = points[row] ?? null;
    if (point === null) continue;
    if (last === null || isBroken) {
      [last, lastClass, isBroken] = [point, -1, false];
      continue;
    }
    const own = classOf(row);
    if (own === lastClass && row < to && Math.hypot(point[0] - last[0], point[1] - last[1]) < CLOSE) continue;
    const start = own === lastClass ? "" : `M${written(last)}`;
    paths[own] = `${paths[own] ?? ""}${start}L${written(point)}`;
    [last, lastClass] = [point, own];
  }
  return paths;
}

export function written([x, y]: Point): string {
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}

const ARROW_UNITS = 55;
const MOST_ARROWS = 24;
const KM_MARKS = 9;

/** Returns points along the route with the direction there, in degrees. */
export function arrowsOf({ points, breaks }: Drawing): { at: Point; degrees: number }[] {
  const arrows: { at: Point; degrees: number }[] = [];
  const lengthTo = (row: number, from: Point | null) => {
    const to = points[row] ?? null;
    return from === null || to === null || breaks.has(row) ? 0 : Math.hypot(to[0] - from[0], to[1] - from[1]);
  };
  let total = 0;
  points.forEach((_, row) => (total += lengthTo(row, points[row - 1] ?? null)));
  const apart = Math.max(ARROW_UNITS, total / MOST_ARROWS);
  let [along, next] = [0, apart / 2];
  let last: Point | null = null;
  points.forEach((point, row) => {
    if (point === null) return;
    const step = lengthTo(row, last);
    along += step;
    if (last !== null && step > 0 && along >= next) {
      const back = points[Math.max(0, row - 3)] ?? last;
      arrows.push({
        at: point,
        degrees: (Math.atan2(point[1] - back[1], point[0] - back[0]) * 180) / Math.PI,
      });
      next = along + apart;
    }
    last = point;
  });
  return arrows;
}

/** Returns points at round distances with their label. */
export function kilometerMarksOf({ points }: Drawing, columns: Columns): { at: Point; label: string }[] {
  const distances = columns["distance_in_meters"] ?? [];
  const total = distances.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
  if (total < 1000) return [];
  const step = Math.max(1000, niceAbove(total / KM_MARKS));
  const marks: { at: Point; label: string }[] = [];
  let next = step;
  points.forEach((point, row) => {
    const covered = distances[row] ?? null;
    if (point === null || covered === null || covered < next) return;
    marks.push({ at: point, label: String(Math.round(next / 1000)) });
    next = (Math.floor(covered / step) + 1) * step;
  });
  return marks;
}

/** Returns the scale bar: a round distance of at most a third of the drawing. */
export function scaleBarOf({ width, unitsPerMeter }: Drawing): { units: number; label: string } {
  const meters = niceBelow(width / 3 / unitsPerMeter);
  return { units: meters * unitsPerMeter, label: meters < 1000 ? `${meters} m` : `${meters / 1000} km` };
}
