import { useMemo } from "preact/hooks";
import { CLASSES, classOf, type Coloring } from "./coloring.ts";
import { extentOf, pathsOf, written, type Point } from "./projection.ts";
import {
  axisOf,
  isMeasured,
  rangeOf,
  valueAt,
  withUnit,
  type Columns,
  type Range,
  type Trace,
} from "./traces.ts";

const [WIDTH, HEIGHT] = [400, 80];
/** Room above and below the line, in SVG units. */
const MARGIN = 5;
/** A flatter route is drawn flat: its changes of altitude are noise. */
const LEAST_METERS = 20;

/** The elevation along the route, in the colors of the route and with its cursor. The pointer moves the cursor. */
export function Profile({
  columns,
  altitude,
  gaps,
  coloring,
  at,
  zoom,
  onAt,
}: {
  columns: Columns;
  altitude: Trace;
  gaps: ReadonlySet<number>;
  coloring: Coloring | null;
  at: number | null;
  zoom: Range | null;
  onAt: (at: number | null) => void;
}) {
  const points = useMemo(() => pointsOf(columns, altitude, gaps), [columns, altitude, gaps]);
  const { left, across, least, most } = points;
  const still = useMemo(() => {
    const whole: Range = [0, points.points.length - 1];
    const lines =
      coloring === null
        ? pathsOf(points, 1, () => 0, whole)
        : pathsOf(points, CLASSES, (row) => classOf(coloring, row), whole);
    const ends = zoom?.map((row) => nearest(points.points, row)?.[0] ?? 0);
    return (
      <>
        <path class="area" d={areaOf(points.points)} />
        {ends === undefined ? null : (
          <rect class="selected" x={ends[0]} width={(ends[1] ?? 0) - (ends[0] ?? 0)} height={HEIGHT} />
        )}
        {lines.map((path, index) => (
          <path key={index} class={coloring === null ? "line" : `line c${index}`} d={path} />
        ))}
      </>
    );
  }, [points, coloring, zoom]);
  if (!(across > 0)) return null;
  const here = at === null ? null : nearest(points.points, at);
  const range = rangeOf(altitude, least, most);
  const moved = (event: PointerEvent & { currentTarget: SVGSVGElement }) => {
    const box = event.currentTarget.getBoundingClientRect();
    onAt(points.rowAt(left + ((event.clientX - box.left) / box.width) * across));
  };
  return (
    <div class="profile">
      <p>
        <strong>Elevation</strong>{" "}
        {at === null ? <span class="soft">{range}</span> : withUnit(altitude, valueAt(altitude, at))}
      </p>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Elevation along the route: ${range}`}
        onPointerMove={moved}
        onPointerDown={moved}
      >
        {still}
        {here === null ? null : <line class="cursor-line" x1={here[0]} x2={here[0]} y2={HEIGHT} />}
      </svg>
    </div>
  );
}

interface Points {
  /** The point of each row, or null without an altitude or a place on the axis. */
  points: (Point | null)[];
  breaks: ReadonlySet<number>;
  left: number;
  across: number;
  least: number;
  most: number;
  /** Returns the row at a place on the axis. */
  rowAt: (x: number) => number;
}

/** Along the distance, or along the time without pauses where the file has no distance. */
function pointsOf(columns: Columns, { values }: Trace, gaps: ReadonlySet<number>): Points {
  const kind = isMeasured(columns["distance_in_meters"]) ? "distance" : "moving";
  const { x, rows } = axisOf(columns, kind, gaps);
  const places: (Point | null)[] = values.map(() => null);
  rows.forEach((row, index) => {
    const meters = values[row] ?? null;
    if (row >= 0 && meters !== null) places[row] = [x[index] ?? 0, -meters];
  });
  const { left, top, across, down } = extentOf(places);
  const room = Math.max(0, LEAST_METERS - down);
  const scale = (HEIGHT - 2 * MARGIN) / (down + room);
  const points = places.map((place): Point | null =>
    place === null
      ? null
      : [((place[0] - left) / across) * WIDTH, MARGIN + (place[1] - top + room / 2) * scale],
  );
  const rowAt = (place: number) => {
    let [low, high] = [0, x.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((x[middle] ?? 0) < place) low = middle + 1;
      else high = middle;
    }
    return rows[low] === -1 ? (rows[low - 1] ?? 0) : (rows[low] ?? 0);
  };
  return { points, breaks: new Set(), left, across, least: -top - down, most: -top, rowAt };
}

/** Returns the point of a row, or the last one before it. */
function nearest(points: readonly (Point | null)[], row: number): Point | null {
  for (let found = row; found >= 0; found--) if (points[found]) return points[found] ?? null;
  return points.find((point) => point !== null) ?? null;
}

function areaOf(points: readonly (Point | null)[]): string {
  const known = points.filter((point) => point !== null);
  const [first, last] = [known[0], known.at(-1)];
  if (first === undefined || last === undefined) return "";
  const [line = ""] = pathsOf({ points: known, breaks: new Set() }, 1, () => 0, [0, known.length - 1]);
  return `M${written([first[0], HEIGHT])}L${line.slice(1)}L${written([last[0], HEIGHT])}Z`;
}
