import { useMemo, useState } from "preact/hooks";
import { CLASSES, classOf, coloringOf, coloringTraces, type Coloring } from "./coloring.ts";
import { Profile } from "./profile.tsx";
import {
  arrowsOf,
  kilometerMarksOf,
  pathsOf,
  project,
  scaleBarOf,
  type Drawing,
  type Point,
} from "./projection.ts";
import { bridged, isVaried, withUnit, type Columns, type Range, type Trace } from "./traces.ts";

/** Start and finish closer than this are drawn apart, in SVG units. */
const MARK_UNITS = 14;
/** A route whose altitude is unknown for a larger share of its rows has no profile. */
const UNKNOWN_SHARE = 0.2;

export function Route({
  columns,
  traces,
  gaps,
  at,
  zoom,
  onAt,
}: {
  columns: Columns;
  traces: readonly Trace[];
  gaps: ReadonlySet<number>;
  at: number | null;
  zoom: Range | null;
  onAt: (at: number | null) => void;
}) {
  const drawing = useMemo(() => project(columns, gaps), [columns, gaps]);
  const choices = useMemo(() => coloringTraces(traces, columns), [traces, columns]);
  const [chosen, setChosen] = useState<string>("speed_in_meters_per_second");
  const altitude = useMemo(
    () => traces.find(({ key, values }) => key === "altitude_in_meters" && isKnown(values, columns)),
    [traces, columns],
  );
  const trace = choices.find(({ key }) => key === chosen) ?? null;
  const coloring = useMemo(() => (trace === null ? null : coloringOf(trace)), [trace]);
  const still = useMemo(
    () => drawing && <Still drawing={drawing} columns={columns} coloring={coloring} zoom={zoom} />,
    [drawing, columns, coloring, zoom],
  );
  if (drawing === null) return null;
  const here = at === null ? null : (drawing.points[at] ?? null);
  return (
    <figure class="route">
      <fieldset class="switch">
        <legend class="unseen">Color of the route</legend>
        {[...choices.map(({ key, title }) => [key, title] as const), ["", "Plain"] as const].map(
          ([key, title]) => (
            <label key={key}>
              <input
                type="radio"
                name="color"
                checked={key === (trace?.key ?? "")}
                onChange={() => setChosen(key)}
              />
              <span>{title}</span>
            </label>
          ),
        )}
      </fieldset>
      <svg
        viewBox={`0 0 ${drawing.width} ${drawing.height}`}
        role="img"
        aria-label="Map of the route, north is up"
      >
        {still}
        {here === null ? null : <circle class="here" cx={here[0]} cy={here[1]} r={7} />}
      </svg>
      {altitude === undefined ? null : (
        <Profile
          columns={columns}
          altitude={altitude}
          gaps={gaps}
          coloring={coloring}
          at={at}
          zoom={zoom}
          onAt={onAt}
        />
      )}
      <figcaption class="legend">
        {coloring === null ? null : (
          <span class="color-scale">
            {withUnit(coloring.trace, coloring.low)}
            <span class="ramp" aria-hidden="true">
              {Array.from({ length: CLASSES }, (_, index) => (
                <span key={index} class={`c${index}`} />
              ))}
            </span>
            {withUnit(coloring.trace, coloring.high)}
          </span>
        )}
        <span>
          <svg class="key" viewBox="-8 -8 16 16" aria-hidden="true">
            <Start at={[0, 0]} />
          </svg>
          start
        </span>
        <span>
          <svg class="key" viewBox="-8 -8 16 16" aria-hidden="true">
            <Finish at={[0, 0]} />
          </svg>
          finish
        </span>
        <span class="soft">north is up</span>
      </figcaption>
    </figure>
  );
}

/** Returns whether a varied altitude is known nearly throughout. */
function isKnown(values: Trace["values"], columns: Columns): boolean {
  const unknown = bridged(values, columns).filter((value) => value === null).length;
  return isVaried(values) && unknown <= UNKNOWN_SHARE * values.length;
}

/** What the cursor does not change. */
function Still({
  drawing,
  columns,
  coloring,
  zoom,
}: {
  drawing: Drawing;
  columns: Columns;
  coloring: Coloring | null;
  zoom: Range | null;
}) {
  const whole: Range = [0, drawing.points.length - 1];
  const [line = ""] = pathsOf(drawing, 1, () => 0, whole);
  const [selected = ""] = zoom === null ? [] : pathsOf(drawing, 1, () => 0, zoom);
  const known = drawing.points.filter((point) => point !== null);
  const [start, end] = [known[0], known.at(-1)];
  const bar = scaleBarOf(drawing);
  return (
    <>
      <path class="casing" d={line} />
      <path class="selected" d={selected} />
      {coloring === null ? (
        <path class="line" d={line} />
      ) : (
        pathsOf(drawing, CLASSES, (row) => classOf(coloring, row), whole).map((path, index) => (
          <path key={index} class={`line c${index}`} d={path} />
        ))
      )}
      {arrowsOf(drawing).map(({ at, degrees }, index) => (
        <path
          key={index}
          class="arrow"
          d="M-2.5 -3.5L2 0L-2.5 3.5"
          transform={`translate(${at[0].toFixed(1)} ${at[1].toFixed(1)}) rotate(${degrees.toFixed(0)})`}
        />
      ))}
      {kilometerMarksOf(drawing, columns).map(({ at, label }) => (
        <g key={label} class="mark-km" transform={`translate(${at[0].toFixed(1)} ${at[1].toFixed(1)})`}>
          <circle r={8} />
          <text y={3.5}>{label}</text>
        </g>
      ))}
      {end === undefined || start === undefined ? null : <Finish at={apart(end, start)} />}
      {start === undefined ? null : <Start at={start} />}
      <g class="scale-bar" transform={`translate(10 ${drawing.height - 10})`}>
        <path d={`M0 -4V0H${bar.units.toFixed(1)}V-4`} />
        <text x={bar.units / 2} y={-5}>
          {bar.label}
        </text>
      </g>
    </>
  );
}

/** Moves the finish of a loop beside its start. */
function apart(end: Point, start: Point): Point {
  const [x, y] = [end[0] - start[0], end[1] - start[1]];
  return Math.hypot(x, y) >= MARK_UNITS ? end : [start[0] + MARK_UNITS, start[1]];
}

function Start({ at: [x, y] }: { at: Point }) {
  return <path class="start" d="M-4.5 -6.5L7 0L-4.5 6.5Z" transform={`translate(${x} ${y})`} />;
}

function Finish({ at: [x, y] }: { at: Point }) {
  return (
    <g class="finish" transform={`translate(${x} ${y})`}>
      <rect x={-6} y={-6} width={12} height={12} />
      <path d="M-6 -6H0V0H-6ZM0 0H6V6H0Z" />
    </g>
  );
}
