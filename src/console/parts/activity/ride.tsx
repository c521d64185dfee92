import type { ComponentChildren } from "preact";
import { useMemo, useState } from "preact/hooks";
import { duration, NONE, number } from "../../format.ts";
import { distance } from "../../units.ts";
import { Plot } from "./plot.tsx";
import { Route } from "./route.tsx";
import {
  averageOf,
  axisOf,
  bridged,
  countCharts,
  fromOwnStart,
  FIRST_CHARTS,
  gapsOf,
  isMeasured,
  isShownFirst,
  MAIN_KEYS,
  rowAt,
  smoothed,
  sumsOf,
  tracesOf,
  valueAt,
  withUnit,
  type Axis,
  type AxisKind,
  type Columns,
  type Range,
  type Trace,
} from "./traces.ts";

const SMOOTHINGS = [0, 10, 30] as const;
/** Pauses that last longer than this part of the time start on an axis without pauses. */
const LONG_PAUSES = 0.5;

/** Fields of an activity that the map and the charts use. */
export interface RideActivity {
  session_index: number;
  sport: string;
  start_time_in_seconds: number | null;
  laps: readonly { start_time_in_seconds: number | null }[];
}

/** The shared cursor and zoom, for parts that show and move them. */
export interface Ride {
  columns: Columns;
  traces: readonly Trace[];
  gaps: ReadonlySet<number>;
  zoom: Range | null;
  onAt: (at: number | null) => void;
  onZoom: (zoom: Range | null) => void;
}

/**
 * Map and charts of an activity with a shared cursor and zoom. `children` returns the parts below. Those are built again
 * only when the zoom changes, not when the cursor moves.
 */
export function RideView({
  activity,
  columns: recorded,
  children,
}: {
  activity: RideActivity;
  columns: Columns;
  children?: (ride: Ride) => ComponentChildren;
}) {
  const [at, setAt] = useState<number | null>(null);
  const columns = useMemo(
    () => fromOwnStart(recorded, activity.session_index),
    [recorded, activity.session_index],
  );
  const [zoom, setZoom] = useState<Range | null>(null);
  const gaps = useMemo(() => gapsOf(columns), [columns]);
  const traces = useMemo(() => tracesOf(columns, activity.sport), [columns, activity.sport]);
  const ride = useMemo(
    (): Ride => ({ columns, traces, gaps, zoom, onAt: setAt, onZoom: setZoom }),
    [columns, traces, gaps, zoom],
  );
  const below = useMemo(() => children?.(ride), [ride, activity]);
  return (
    <>
      <div class="ride">
        <Route columns={columns} traces={traces} gaps={gaps} at={at} zoom={zoom} onAt={setAt} />
        <Charts activity={activity} ride={ride} at={at} />
      </div>
      {below}
    </>
  );
}

/** Reserves the room of map and charts while the streams load. */
export function RideSkeleton({ streams }: { streams: readonly string[] }) {
  if (streams.length === 0) return null;
  return (
    <div class="ride reserved" role="status">
      {streams.includes("latitude_in_degrees") && <div class="route" />}
      <div class="charts" data-charts={countCharts(streams)}>
        Loading…
      </div>
    </div>
  );
}

function toggled(keys: ReadonlySet<string>, key: string): ReadonlySet<string> {
  const others = new Set(keys);
  if (!others.delete(key)) others.add(key);
  return others;
}

function firstOf(traces: readonly Trace[]): readonly Trace[] {
  const shown = traces.filter(isShownFirst);
  const main = shown.filter(({ key }) => MAIN_KEYS.has(key));
  if (main.length > 0) return main.slice(0, FIRST_CHARTS);
  return (shown.length > 0 ? shown : traces).slice(0, 1);
}

function firstAxis(columns: Columns, gaps: ReadonlySet<number>): AxisKind {
  const { seconds } = sumsOf(columns, gaps, wholeOf(columns));
  const times = columns["time_in_seconds"] ?? [];
  const elapsed = (times.at(-1) ?? 0) - (times[0] ?? 0);
  return elapsed - seconds > LONG_PAUSES * elapsed ? "moving" : "time";
}

function wholeOf(columns: Columns): Range {
  return [0, Math.max(0, (columns["time_in_seconds"] ?? []).length - 1)];
}

function Charts({ activity, ride, at }: { activity: RideActivity; ride: Ride; at: number | null }) {
  const { columns, traces, gaps, zoom, onAt, onZoom } = ride;
  const [kind, setKind] = useState<AxisKind>(() => firstAxis(columns, gaps));
  const [seconds, setSeconds] = useState<number>(0);
  const [shown, setShown] = useState<ReadonlySet<string>>(
    () => new Set(firstOf(traces).map(({ key }) => key)),
  );
  const axis = useMemo(() => axisOf(columns, kind, gaps), [columns, kind, gaps]);
  const laps = useMemo(() => lapRows(activity, columns), [activity, columns]);
  const drawn = useMemo(
    () =>
      traces
        .filter(({ key }) => shown.has(key))
        .map((trace) => {
          const values = smoothed(trace.values, columns, gaps, seconds);
          return { ...trace, values, drawn: bridged(values, columns) };
        }),
    [traces, shown, columns, gaps, seconds],
  );
  if (traces.length === 0) return null;
  const choices: [AxisKind, string, boolean][] = [
    ["time", "over time", true],
    ["moving", "without pauses", gaps.size > 0],
    ["distance", "over distance", isMeasured(columns["distance_in_meters"])],
  ];
  return (
    <div class="charts">
      <div class="controls">
        <Switch
          legend="Horizontal axis"
          name="axis"
          value={kind}
          choices={choices.filter(([, , isOffered]) => isOffered).map(([value, label]) => [value, label])}
          onValue={setKind}
        />
        <Switch
          legend="Smoothing"
          name="smoothing"
          value={seconds}
          choices={SMOOTHINGS.map((value) => [value, value === 0 ? "raw" : `${value} s`])}
          onValue={setSeconds}
        />
      </div>
      <fieldset class="choice">
        <legend class="unseen">Charts</legend>
        {traces.map(({ key, title }) => (
          <label key={key}>
            <input type="checkbox" checked={shown.has(key)} onChange={() => setShown(toggled(shown, key))} />
            <span>{title}</span>
          </label>
        ))}
      </fieldset>
      <Readout ride={ride} axis={axis} drawn={drawn} at={at} />
      {drawn.map((trace) => (
        <Plot
          key={trace.key}
          trace={trace}
          axis={axis}
          sport={activity.sport}
          at={at}
          zoom={zoom}
          laps={laps}
          onAt={onAt}
          onZoom={onZoom}
        />
      ))}
      <p class="soft hint">
        Drag across a chart to zoom, double-click to zoom out.
        {axis.pauses.length > 0 && (
          <>
            {" "}
            <span class="swatch pause" /> Pause
          </>
        )}
      </p>
    </div>
  );
}

function Switch<T extends string | number>({
  legend,
  name,
  value,
  choices,
  onValue,
}: {
  legend: string;
  name: string;
  value: T;
  choices: readonly (readonly [value: T, label: string])[];
  onValue: (value: T) => void;
}) {
  if (choices.length < 2) return <span />;
  return (
    <fieldset class="switch">
      <legend class="unseen">{legend}</legend>
      {choices.map(([choice, label]) => (
        <label key={choice}>
          <input type="radio" name={name} checked={choice === value} onChange={() => onValue(choice)} />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** Returns the rows at which laps begin, without the first. */
function lapRows({ start_time_in_seconds: start, laps }: RideActivity, columns: Columns): number[] {
  if (start === null) return [];
  return laps.slice(1).flatMap((lap) => {
    const begins = lap.start_time_in_seconds;
    return begins === null ? [] : [rowAt(columns, begins - start)];
  });
}

/** Values at the cursor and averages of the visible part. Stays in sight while the charts scroll. */
function Readout({
  ride: { columns, gaps, zoom, onAt, onZoom },
  axis,
  drawn,
  at,
}: {
  ride: Ride;
  axis: Axis;
  drawn: readonly Trace[];
  at: number | null;
}) {
  const range = zoom ?? wholeOf(columns);
  const sums = useMemo(() => sumsOf(columns, gaps, range), [columns, gaps, zoom]);
  const averages = useMemo(
    () => drawn.map(({ values }) => averageOf(values, columns, gaps, range)),
    [drawn, columns, gaps, zoom],
  );
  const [from, to] = [axis.indexOfRow[range[0]] ?? 0, axis.indexOfRow[range[1]] ?? 0];
  const place = at === null ? from : (axis.indexOfRow[at] ?? 0);
  const here = at === null ? NONE : positionOf(columns, at);
  return (
    <div class="cursor">
      <p class="range">
        <span>
          <strong>{zoom === null ? "Whole activity" : "Selection"}</strong> {duration(sums.seconds)}
          {sums.meters === null || sums.meters === 0 ? "" : ` · ${distance(sums.meters)}`}
          {sums.ascent === null || sums.ascent < 1 ? "" : ` · +${number(sums.ascent, 0, "m")}`}
        </span>
        {zoom === null ? (
          <button
            type="button"
            class="plain"
            disabled={at === null}
            onClick={() => at !== null && onZoom(around(axis, at))}
          >
            Zoom in
          </button>
        ) : (
          <button type="button" class="plain" onClick={() => onZoom(null)}>
            Show all
          </button>
        )}
      </p>
      <output>
        <span class="at">{at === null ? "Point at a chart to see its values." : here}</span>
        <span class="cells">
          {drawn.map((trace, index) => (
            <span key={trace.key} class="cell">
              <span class="swatch" data-series={trace.color.slice(2)} />
              <span class="soft">{trace.title}</span>
              <strong>{at === null ? NONE : withUnit(trace, valueAt(trace, at))}</strong>
              <span class="soft">avg {trace.format(averages[index] ?? null)}</span>
            </span>
          ))}
        </span>
      </output>
      <label>
        <span class="unseen">Position in the activity</span>
        <input
          type="range"
          min={from}
          max={Math.max(from, to)}
          value={place}
          aria-valuetext={at === null ? "none" : here}
          onInput={(event) => onAt(rowNear(axis, Number(event.currentTarget.value), place))}
        />
      </label>
    </div>
  );
}

function positionOf(columns: Columns, row: number): string {
  const time = duration(columns["time_in_seconds"]?.[row] ?? null);
  const distances = columns["distance_in_meters"] ?? [];
  let found = row;
  while (found > 0 && (distances[found] ?? null) === null) found -= 1;
  const covered = isMeasured(distances) ? (distances[found] ?? null) : null;
  return covered === null ? time : `${time} · ${distance(covered)}`;
}

/** Returns the row at an index of the axis. Steps over gaps in the direction of the move. */
function rowNear(axis: Axis, index: number, before: number): number | null {
  const step = index >= before ? 1 : -1;
  let found = index;
  while (axis.rows[found] === -1) found += step;
  return axis.rows[found] ?? null;
}

/** Returns a tenth of the activity around a row. */
function around(axis: Axis, row: number): Range {
  const count = axis.indexOfRow.length;
  const half = Math.max(1, Math.round(count / 20));
  return [Math.max(0, row - half), Math.min(count - 1, row + half)];
}
