import { useMemo } from "preact/hooks";
import type { Streams } from "../../fit/types.ts";

/** Length of the longer side of the drawing, in SVG units. */
const SIDE = 400;
const MARGIN = 14;

interface Drawing {
  path: string;
  points: ([number, number] | null)[];
  width: number;
  height: number;
}

/** Returns an equirectangular projection about the middle latitude, or null with fewer than two positions. */
function project(
  latitudes: readonly (number | null)[],
  longitudes: readonly (number | null)[],
): Drawing | null {
  const places = latitudes.map((latitude, index) => {
    const longitude = longitudes[index] ?? null;
    return latitude === null || longitude === null ? null : ([latitude, longitude] as const);
  });
  const known = places.filter((place) => place !== null);
  const first = known[0];
  if (first === undefined || known.length < 2) return null;
  const middle = known.reduce((sum, [latitude]) => sum + latitude, 0) / known.length;
  const squeeze = Math.cos((middle * Math.PI) / 180);
  // Keeps longitudes continuous across the date line.
  const flat = places.map((place) => {
    if (place === null) return null;
    const turn = place[1] - first[1];
    return [(turn - 360 * Math.round(turn / 360)) * squeeze, -place[0]] as const;
  });
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const place of flat) {
    if (place === null) continue;
    left = Math.min(left, place[0]);
    right = Math.max(right, place[0]);
    top = Math.min(top, place[1]);
    bottom = Math.max(bottom, place[1]);
  }
  const scale = (SIDE - 2 * MARGIN) / Math.max(right - left, bottom - top, 1e-6);
  const points = flat.map((place): [number, number] | null =>
    place === null ? null : [MARGIN + (place[0] - left) * scale, MARGIN + (place[1] - top) * scale],
  );
  const path = points
    .map((point, index) =>
      point === null
        ? ""
        : `${points[index - 1] == null ? "M" : "L"}${point[0].toFixed(1)} ${point[1].toFixed(1)}`,
    )
    .join("");
  return {
    path,
    points,
    width: Math.max(60, (right - left) * scale + 2 * MARGIN),
    height: Math.max(60, (bottom - top) * scale + 2 * MARGIN),
  };
}

export function Route({ streams, at }: { streams: Streams["columns"]; at: number | null }) {
  const drawing = useMemo(
    () => project(streams["latitude_in_degrees"] ?? [], streams["longitude_in_degrees"] ?? []),
    [streams],
  );
  if (drawing === null) return null;
  const known = drawing.points.filter((point) => point !== null);
  const [start, end] = [known[0], known.at(-1)];
  const here = at === null ? null : (drawing.points[at] ?? null);
  return (
    <figure class="route">
      <svg
        viewBox={`0 0 ${drawing.width} ${drawing.height}`}
        role="img"
        aria-label="Map of the route, north is up"
      >
        <path class="casing" d={drawing.path} />
        <path class="line" d={drawing.path} />
        {end === undefined ? null : <circle class="end" cx={end[0]} cy={end[1]} r={5} />}
        {start === undefined ? null : <circle class="start" cx={start[0]} cy={start[1]} r={5} />}
        {here === null ? null : <circle class="here" cx={here[0]} cy={here[1]} r={7} />}
      </svg>
      <figcaption class="legend">
        <span>
          <span class="swatch start" /> start
        </span>
        <span>
          <span class="swatch end" /> end
        </span>
        <span class="soft">north is up</span>
      </figcaption>
    </figure>
  );
}
