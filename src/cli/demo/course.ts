/** Reykjavík, because its local time is UTC all year, on a hill. */
const HOME = { latitude: 64.1466, longitude: -21.9426, altitude: 90 };
/** Degrees of latitude per metre. */
const DEGREES_PER_METER = 1 / 111_195;

/** Invented roads: corners of a closed loop, east and north of its start. The unit is scaled to the length of the outing. */
const CORNERS: readonly (readonly [east: number, north: number])[] = [
  [0, 0],
  [0.7, 0.1],
  [1.5, -0.2],
  [1.9, 0.5],
  [1.5, 1.2],
  [2.3, 1.9],
  [1.6, 2.8],
  [0.9, 2.2],
  [0.2, 2.9],
  [-0.9, 2.4],
  [-0.6, 1.4],
  [-1.3, 0.9],
  [-0.8, -0.1],
];
const STEPS_PER_CORNER = 16;
const HILLS: readonly (readonly [waves: number, share: number, phase: number])[] = [
  [2, 0.45, 0.4],
  [5, 0.3, 2.1],
  [11, 0.15, 4.4],
  [23, 0.1, 1.2],
];

/** Number of altitudes that a loop is made from. */
const ALTITUDES = 1024;

export interface Place {
  latitude: number;
  longitude: number;
  altitude: number;
  /** Metres of climb per metre. */
  slope: number;
}

/** Returns the place at each distance of a closed course. Call it with rising distances. `turn` rotates it, so that outings follow different roads. */
export function courseOf(meters: number, hill: number, turn: number): (distance: number) => Place {
  const points = smoothed();
  const along = [0];
  for (const [i, point] of points.entries()) {
    const next = points[(i + 1) % points.length] ?? point;
    along.push((along.at(-1) ?? 0) + Math.hypot(next[0] - point[0], next[1] - point[1]));
  }
  const length = along.at(-1) ?? 1;
  const scale = meters / length;
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  const altitudes = Array.from(
    { length: ALTITUDES },
    (_, i) => HOME.altitude + hill * hillsAt(i / ALTITUDES),
  );
  const altitudeAt = (share: number) => {
    const at = (share - Math.floor(share)) * ALTITUDES;
    const [from, to] = [altitudes[Math.floor(at)] ?? 0, altitudes[(Math.floor(at) + 1) % ALTITUDES] ?? 0];
    return from + (at % 1) * (to - from);
  };
  let after = 1;
  return (distance) => {
    const at = (distance / scale) % length;
    // Distances rise, so the next point is near the last one.
    if (at < (along[after - 1] ?? 0)) after = 1;
    while (after < points.length && (along[after] ?? 0) <= at) after += 1;
    const from = points[after - 1] ?? [0, 0];
    const to = points[after % points.length] ?? from;
    const part = (at - (along[after - 1] ?? 0)) / ((along[after] ?? 1) - (along[after - 1] ?? 0));
    const east = (from[0] + part * (to[0] - from[0])) * scale;
    const north = (from[1] + part * (to[1] - from[1])) * scale;
    const latitude = HOME.latitude + (north * cos - east * sin) * DEGREES_PER_METER;
    const share = distance / meters;
    return {
      latitude,
      longitude:
        HOME.longitude +
        ((east * cos + north * sin) * DEGREES_PER_METER) / Math.cos((HOME.latitude * Math.PI) / 180),
      altitude: altitudeAt(share),
      slope: (altitudeAt(share + 5 / meters) - altitudeAt(share - 5 / meters)) / 10,
    };
  };
}

/** Returns the height at a share of the loop, above that of its start. */
function hillsAt(share: number): number {
  return HILLS.reduce(
    (sum, [waves, part, phase]) =>
      sum + part * (Math.sin(waves * share * 2 * Math.PI + phase) - Math.sin(phase)),
    0,
  );
}

/** Returns the corners as a smooth line: a Catmull-Rom spline. */
function smoothed(): (readonly [number, number])[] {
  const corner = (i: number) => CORNERS[(i + CORNERS.length) % CORNERS.length] ?? [0, 0];
  return CORNERS.flatMap((_, i) =>
    Array.from({ length: STEPS_PER_CORNER }, (_step, n): readonly [number, number] => {
      const t = n / STEPS_PER_CORNER;
      const [a, b, c, d] = [corner(i - 1), corner(i), corner(i + 1), corner(i + 2)];
      const between = (axis: 0 | 1) =>
        b[axis] +
        0.5 *
          t *
          (c[axis] -
            a[axis] +
            t *
              (2 * a[axis] -
                5 * b[axis] +
                4 * c[axis] -
                d[axis] +
                t * (3 * (b[axis] - c[axis]) + d[axis] - a[axis])));
      return [between(0), between(1)];
    }),
  );
}

/** Returns a function that returns numbers from 0 to 1, the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Returns a function that returns noise that changes slowly around 0. */
export function slowNoise(random: () => number, size: number, keep = 0.9): () => number {
  let value = 0;
  return () => (value = keep * value + (1 - keep) * size * 4 * (random() - 0.5));
}
