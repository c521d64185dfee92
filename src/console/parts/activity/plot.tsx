import uPlot from "uplot";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { speedUnit } from "../../units.ts";
import { plainTick, ticksBetween, timeTick, TIME_STEPS } from "./scale.ts";
import { rangeOf, valueAt, withUnit, type Axis, type Range, type Trace } from "./traces.ts";

const HEIGHT = 140;
/** Pauses without a width on the axis are drawn this wide, in pixels. */
const LEAST_PAUSE = 3;
/** Laps closer to each other than this, on average and in pixels, are not drawn: their lines would hide the chart. */
const LAP_PIXELS = 12;
/** Traces with fewer readings than this share of the rows are drawn with points. */
const SPARSE_SHARE = 0.1;

export function useScheme(): boolean {
  const query = useMemo(() => matchMedia("(prefers-color-scheme: dark)"), []);
  const [dark, setDark] = useState(query.matches);
  useEffect(() => {
    const changed = () => setDark(query.matches);
    query.addEventListener("change", changed);
    return () => query.removeEventListener("change", changed);
  }, [query]);
  return dark;
}

interface PlotProps {
  trace: Trace;
  axis: Axis;
  sport: string;
  /** The row under the cursor. */
  at: number | null;
  zoom: Range | null;
  /** Rows at which laps begin. */
  laps: readonly number[];
  onAt: (at: number | null) => void;
  onZoom: (zoom: Range | null) => void;
}

/** Draws a trace along an axis. The pointer moves the cursor, and dragging zooms. */
export function Plot(props: PlotProps) {
  const { trace, axis, at, zoom } = props;
  const drawable = useMemo(() => trace.drawn ?? trace.values, [trace]);
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const dark = useScheme();
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const drawn = new uPlot(
      optionsOf(element, props, latest),
      [axis.x, axis.rows.map((row) => (row === -1 ? null : drawable[row]))],
      element,
    );
    chart.current = drawn;
    const stop = followTouch(drawn, latest);
    const resized = new ResizeObserver(() => {
      if (element.clientWidth === 0 || element.clientWidth === drawn.width) return;
      drawn.setSize({ width: element.clientWidth, height: HEIGHT });
      moveCursor(drawn, latest.current);
    });
    resized.observe(element);
    return () => {
      stop();
      resized.disconnect();
      drawn.destroy();
    };
  }, [trace, axis, dark, props.laps]);
  useEffect(() => {
    const drawn = chart.current;
    if (drawn === null) return;
    const [min, max] = extentOf(axis, zoom);
    drawn.setScale("x", { min, max });
  }, [zoom, trace, axis, dark, props.laps]);
  useEffect(() => {
    if (chart.current !== null) moveCursor(chart.current, latest.current);
  }, [at, zoom, trace, axis, dark, props.laps]);
  const known = trace.values.filter((value) => value !== null);
  const ends = [
    known.reduce((a, b) => Math.min(a, b), Infinity),
    known.reduce((a, b) => Math.max(a, b), -Infinity),
  ];
  const range = rangeOf(trace, ends[0] ?? null, ends[1] ?? null);
  const here = at === null ? null : valueAt(trace, at);
  return (
    <figure class="chart">
      <figcaption>
        <span class="swatch" data-series={trace.color.slice(2)} />
        <strong>{trace.title}</strong>{" "}
        {at === null ? (
          <span class="soft">{range}</span>
        ) : (
          <span class="numbers">{withUnit(trace, here)}</span>
        )}
      </figcaption>
      <div ref={box} role="img" aria-label={`${trace.title} over ${AXIS_NAMES[axis.kind]}: ${range}`} />
    </figure>
  );
}

const AXIS_NAMES = { time: "time", moving: "time without pauses", distance: "distance" } as const;

/** Returns the ends of the zoomed part of the axis, or of the whole axis. */
export function extentOf(axis: Axis, zoom: Range | null): [number, number] {
  const [from, to] = zoom ?? [0, axis.indexOfRow.length - 1];
  const x = (row: number) => axis.x[axis.indexOfRow[row] ?? 0] ?? 0;
  const [min, max] = [zoom === null ? (axis.x[0] ?? 0) : x(from), x(to)];
  return max > min ? [min, max] : [min, min + 1];
}

type Latest = { readonly current: PlotProps };

function moveCursor(drawn: uPlot, { at, axis }: PlotProps): void {
  const x = at === null ? undefined : axis.x[axis.indexOfRow[at] ?? 0];
  const left = x === undefined ? -10 : drawn.valToPos(x, "x");
  drawn.setCursor({ left, top: left < 0 ? -10 : 0 }, false);
}

/** Moves the cursor with a finger. The page still scrolls up and down. */
function followTouch(drawn: uPlot, latest: Latest): () => void {
  const { over } = drawn;
  const moved = (event: PointerEvent) => {
    if (event.pointerType === "mouse") return;
    const index = drawn.posToIdx(event.clientX - over.getBoundingClientRect().left);
    const row = latest.current.axis.rows[index] ?? -1;
    if (row >= 0) latest.current.onAt(row);
  };
  over.addEventListener("pointerdown", moved);
  over.addEventListener("pointermove", moved);
  return () => {
    over.removeEventListener("pointerdown", moved);
    over.removeEventListener("pointermove", moved);
  };
}

function optionsOf(
  element: HTMLElement,
  { trace, axis, sport, laps }: PlotProps,
  latest: Latest,
): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const axisStyle = {
    stroke: color("--soft"),
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
  };
  const isTime = axis.kind !== "distance";
  const pace = trace.key.startsWith("speed_") ? speedUnit(sport).paceMeters : null;
  const [min, max] = extentOf(axis, null);
  const known = trace.values.filter((value) => value !== null);
  const limits = pace === null ? null : paceLimits(known);
  return {
    width: element.clientWidth,
    height: HEIGHT,
    padding: [6, 20, 0, 0],
    scales: {
      x: { time: false, min, max },
      // Depth grows downward.
      y: { dir: trace.isDown ? -1 : 1, range: (_, low, high) => padded(low, high, trace, limits) },
    },
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false, dist: 5 },
      points: { size: 7 },
      bind: {
        dblclick: () => () => {
          latest.current.onZoom(null);
          return null;
        },
      },
    },
    axes: [
      {
        ...axisStyle,
        size: 26,
        space: 64,
        ...(isTime ? { incrs: TIME_STEPS } : {}),
        values: (drawn, ticks) => {
          const { min: from = 0, max: to = 0 } = drawn.scales["x"] ?? {};
          const inHours = (to ?? 0) - (from ?? 0) >= 3600;
          return ticks.map((tick) => (isTime ? timeTick(tick, inHours) : `${plainTick(tick, ticks)} km`));
        },
      },
      {
        ...axisStyle,
        size: 48,
        splits: (_drawn, _axis, low, high) => ticksBetween(low, high, pace),
        values: (_, ticks) => ticks.map((tick) => tickOf(tick, ticks, trace, pace !== null)),
      },
    ],
    series: [
      {},
      {
        stroke: color(trace.color),
        fill: `${color(trace.color)}26`,
        fillTo: (drawn) => (trace.isSigned ? 0 : (drawn.scales["y"]?.min ?? 0)),
        width: 1.5,
        // A line does not show single readings.
        points: { show: known.length < trace.values.length * SPARSE_SHARE, size: 5 },
        spanGaps: false,
      },
    ],
    hooks: {
      // Positions are known only now: a chart is laid out, and a scale is set, after the call.
      ready: [(drawn) => moveCursor(drawn, latest.current)],
      setScale: [(drawn, key) => key === "x" && moveCursor(drawn, latest.current)],
      drawClear: [(drawn) => shadePauses(drawn, axis, color("--pause"))],
      draw: [(drawn) => drawLaps(drawn, axis, laps, color("--soft"))],
      setSelect: [(drawn) => zoomToSelection(drawn, latest)],
      setCursor: [
        ({ cursor }) => {
          // Ignores cursor moves by the page itself: only the pointer moves the shared position.
          if (cursor.event == null || cursor.idx == null) return;
          const row = axis.rows[cursor.idx] ?? -1;
          if (row >= 0) latest.current.onAt(row);
        },
      ],
    },
  };
}

/** Parts of a pace chart outside these multiples of the usual fast pace are cut off: stops and outliers flatten the rest. */
const [SLOWEST, FASTEST] = [0.3, 1.4];

/** Returns the ends of a pace axis, from the speed that 95 % of the readings do not exceed. */
function paceLimits(known: readonly number[]): [number, number] {
  const usual = Float64Array.from(known).sort()[Math.floor(known.length * 0.95)] ?? 0;
  return [SLOWEST * usual, FASTEST * usual];
}

function padded(
  low: number,
  high: number,
  trace: Trace,
  limits: readonly [number, number] | null,
): [number, number] {
  if (limits !== null && high > limits[0]) {
    const [least, most] = [Math.max(low, limits[0]), Math.min(high, limits[1])];
    const room = (most - least) * 0.06 || most * 0.05;
    return [least - room, most + room];
  }
  const [least, most] = trace.isSigned ? [Math.min(low, 0), Math.max(high, 0)] : [low, high];
  const room = (most - least) * 0.06 || Math.max(1, Math.abs(most) * 0.05);
  // Values that are never negative keep their zero line at the bottom.
  return [least >= 0 ? Math.max(0, least - room) : least - room, most + room];
}

function tickOf(tick: number, ticks: number[], trace: Trace, isPace: boolean): string {
  return isPace ? trace.format(tick) : plainTick(tick, ticks);
}

function shadePauses(drawn: uPlot, axis: Axis, color: string): void {
  const { ctx, bbox } = drawn;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.fillStyle = color;
  for (const [from, to] of axis.pauses) {
    const [left, right] = [drawn.valToPos(from, "x", true), drawn.valToPos(to, "x", true)];
    const width = Math.max(right - left, LEAST_PAUSE * devicePixelRatio);
    ctx.fillRect((left + right - width) / 2, bbox.top, width, bbox.height);
  }
  ctx.restore();
}

function drawLaps(drawn: uPlot, axis: Axis, laps: readonly number[], color: string): void {
  const { ctx, bbox } = drawn;
  const { min = 0, max = 0 } = drawn.scales["x"] ?? {};
  const places = laps.map((row) => axis.x[axis.indexOfRow[row] ?? 0] ?? 0);
  const shown = places.filter((place) => place >= (min ?? 0) && place <= (max ?? 0));
  if (shown.length * LAP_PIXELS * devicePixelRatio > bbox.width) return;
  ctx.save();
  ctx.strokeStyle = color;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  for (const place of shown) {
    const left = Math.round(drawn.valToPos(place, "x", true)) + 0.5;
    if (left <= bbox.left + 1 || left > bbox.left + bbox.width) continue;
    ctx.moveTo(left, bbox.top);
    ctx.lineTo(left, bbox.top + bbox.height);
  }
  ctx.stroke();
  ctx.restore();
}

function zoomToSelection(drawn: uPlot, latest: Latest): void {
  const { left, width } = drawn.select;
  if (width === 0) return;
  const { rows } = latest.current.axis;
  const at = (place: number, step: 1 | -1) => {
    let index = drawn.posToIdx(place);
    while (rows[index] === -1) index += step;
    return rows[index] ?? 0;
  };
  const [from, to] = [at(left, 1), at(left + width, -1)];
  drawn.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  if (to > from) latest.current.onZoom([from, to]);
}
