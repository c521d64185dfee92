import uPlot from "uplot";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Streams } from "../../fit/types.ts";
import { duration, number } from "../format.ts";

const SERIES = [
  ["heart_rate_in_beats_per_minute", "Heart rate", "bpm", 1, 0, "--heart"],
  ["power_in_watts", "Power", "W", 1, 0, "--power"],
  ["speed_in_meters_per_second", "Speed", "km/h", 3.6, 1, "--speed"],
  ["altitude_in_meters", "Altitude", "m", 1, 0, "--altitude"],
  ["cadence_in_cycles_per_minute", "Cadence", "/min", 1, 0, "--power"],
  ["temperature_in_celsius", "Temperature", "°C", 1, 0, "--heart"],
  ["respiration_rate_in_breaths_per_minute", "Respiration rate", "/min", 1, 1, "--heart"],
  ["grade_in_percent", "Grade", "%", 1, 1, "--altitude"],
  ["right_balance_in_percent", "Balance, right", "%", 1, 0, "--power"],
  ["left_torque_effectiveness_in_percent", "Torque effectiveness, left", "%", 1, 1, "--power"],
  ["right_torque_effectiveness_in_percent", "Torque effectiveness, right", "%", 1, 1, "--power"],
  ["left_pedal_smoothness_in_percent", "Pedal smoothness, left", "%", 1, 1, "--power"],
  ["right_pedal_smoothness_in_percent", "Pedal smoothness, right", "%", 1, 1, "--power"],
  ["combined_pedal_smoothness_in_percent", "Pedal smoothness", "%", 1, 1, "--power"],
  ["vertical_oscillation_in_millimeters", "Vertical oscillation", "mm", 1, 1, "--speed"],
  ["stance_time_in_milliseconds", "Stance time", "ms", 1, 0, "--speed"],
  ["stance_time_balance_in_percent", "Stance time balance", "%", 1, 1, "--speed"],
  ["step_length_in_millimeters", "Step length", "mm", 1, 0, "--speed"],
  ["vertical_ratio_in_percent", "Vertical ratio", "%", 1, 1, "--speed"],
  ["depth_in_meters", "Depth", "m", 1, 1, "--altitude"],
] as const;

/** Number of series that have a chart from the beginning. */
const FIRST_CHARTS = 4;

const FIRST_KEYS: ReadonlySet<string> = new Set(SERIES.slice(0, FIRST_CHARTS).map(([key]) => key));

type Axis = "time" | "distance";
const HEIGHT = 150;

interface Row {
  key: string;
  title: string;
  unit: string;
  digits: number;
  color: string;
  values: (number | null)[];
}

function rowsOf(streams: Streams["columns"]): Row[] {
  return SERIES.flatMap(([key, title, unit, factor, digits, color]) => {
    const column = streams[key];
    if (column === undefined || column.every((value) => value === null)) return [];
    const values = column.map((value) => (value === null ? null : value * factor));
    return [{ key, title, unit, digits, color, values }];
  });
}

/** Returns the axis values of the records and their indexes. Skips records without a value, or with a lower one. */
function axisPoints(streams: Streams["columns"], axis: Axis): { x: number[]; places: number[] } {
  const column = streams[axis === "time" ? "time_in_seconds" : "distance_in_meters"] ?? [];
  const x: number[] = [];
  const places: number[] = [];
  column.forEach((value, place) => {
    if (value === null || value < (x.at(-1) ?? -Infinity)) return;
    x.push(axis === "time" ? value : value / 1000);
    places.push(place);
  });
  return { x, places };
}

function toggled(keys: ReadonlySet<string>, key: string): ReadonlySet<string> {
  const others = new Set(keys);
  if (!others.delete(key)) others.add(key);
  return others;
}

function useScheme(): boolean {
  const query = useMemo(() => matchMedia("(prefers-color-scheme: dark)"), []);
  const [dark, setDark] = useState(query.matches);
  useEffect(() => {
    const changed = () => setDark(query.matches);
    query.addEventListener("change", changed);
    return () => query.removeEventListener("change", changed);
  }, [query]);
  return dark;
}

export function Charts({
  streams,
  at,
  onAt,
}: {
  streams: Streams["columns"];
  at: number | null;
  onAt: (at: number | null) => void;
}) {
  const [axis, setAxis] = useState<Axis>("time");
  const all = useMemo(() => rowsOf(streams), [streams]);
  const [shown, setShown] = useState<ReadonlySet<string>>(FIRST_KEYS);
  const rows = all.filter(({ key }) => shown.has(key));
  const along = useMemo(() => axisPoints(streams, axis), [streams, axis]);
  const hasDistance = (streams["distance_in_meters"] ?? []).some((value) => value !== null && value > 0);
  if (all.length === 0) return null;
  const place = at === null ? -1 : along.places.indexOf(at);
  const position = along.x[place];
  const label = (value: number) => (axis === "time" ? duration(value) : number(value, 2, "km"));
  return (
    <div class="charts">
      <fieldset class="switch">
        <legend class="unseen">Horizontal axis</legend>
        {(["time", "distance"] as const).map((choice) => (
          <label key={choice}>
            <input
              type="radio"
              name="axis"
              checked={axis === choice}
              disabled={choice === "distance" && !hasDistance}
              onChange={() => setAxis(choice)}
            />
            <span>over {choice}</span>
          </label>
        ))}
      </fieldset>
      <fieldset class="choice">
        <legend class="unseen">Charts</legend>
        {all.map(({ key, title }) => (
          <label key={key}>
            <input type="checkbox" checked={shown.has(key)} onChange={() => setShown(toggled(shown, key))} />
            {title}
          </label>
        ))}
      </fieldset>
      <div class="cursor">
        <label>
          <span class="unseen">Position in the activity</span>
          <input
            type="range"
            min={0}
            max={Math.max(0, along.x.length - 1)}
            value={Math.max(0, place)}
            aria-valuetext={position === undefined ? "none" : label(position)}
            onInput={(event) => onAt(along.places[Number(event.currentTarget.value)] ?? null)}
          />
        </label>
        <output class="numbers">
          {position === undefined
            ? "Point at a chart to see its values."
            : `${label(position)} · ${rows.map((row) => number(row.values[at ?? 0], row.digits, row.unit)).join(" · ")}`}
        </output>
      </div>
      {rows.map((row) => (
        <Chart key={row.key} row={row} along={along} axis={axis} place={place} onAt={onAt} />
      ))}
    </div>
  );
}

/** Draws the values of a row at the places along the axis. */
export function Chart({
  row,
  along,
  axis,
  place,
  onAt,
}: {
  row: Row;
  along: { x: number[]; places: number[] };
  axis: Axis;
  place: number;
  onAt: (at: number | null) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const dark = useScheme();
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const style = getComputedStyle(element);
    const color = (name: string) => style.getPropertyValue(name).trim();
    const axisStyle = {
      stroke: color("--soft"),
      grid: { stroke: color("--line"), width: 1 },
      ticks: { show: false },
    };
    const drawn = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        scales: { x: { time: false } },
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
        axes: [
          {
            ...axisStyle,
            size: 28,
            values: (_, ticks) =>
              ticks.map((tick) => (axis === "time" ? duration(tick) : `${number(tick, 1)} km`)),
            space: 70,
          },
          { ...axisStyle, size: 46, space: 30 },
        ],
        series: [
          {},
          {
            stroke: color(row.color),
            fill: `${color(row.color)}22`,
            width: 1.5,
            points: { show: false },
            spanGaps: false,
          },
        ],
        hooks: {
          setCursor: [
            ({ cursor }) => {
              // Ignores cursor moves by the page itself: only the pointer moves the shared position.
              if (cursor.event != null && cursor.idx != null) onAt(along.places[cursor.idx] ?? null);
            },
          ],
        },
      },
      [along.x, along.places.map((index) => row.values[index] ?? null)],
      element,
    );
    chart.current = drawn;
    const resized = new ResizeObserver(() => {
      if (element.clientWidth > 0) drawn.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    resized.observe(element);
    return () => {
      resized.disconnect();
      drawn.destroy();
    };
  }, [row, along, axis, dark, onAt]);
  useEffect(() => {
    const drawn = chart.current;
    const x = along.x[place];
    if (drawn === null || x === undefined) return;
    drawn.setCursor({ left: drawn.valToPos(x, "x"), top: 0 }, false);
  }, [place, along, axis, dark]);
  const known = row.values.filter((value) => value !== null);
  const [least, most] = [known.reduce((a, b) => Math.min(a, b)), known.reduce((a, b) => Math.max(a, b))];
  const range = `${number(least, row.digits)} to ${number(most, row.digits, row.unit)}`;
  return (
    <figure class="chart">
      <figcaption>
        <span class="swatch" data-series={row.color.slice(2)} />
        <strong>{row.title}</strong> <span class="soft">{range}</span>
      </figcaption>
      <div ref={box} role="img" aria-label={`${row.title} over ${axis}: ${range}`} />
    </figure>
  );
}
