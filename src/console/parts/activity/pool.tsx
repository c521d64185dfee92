import { useMemo } from "preact/hooks";
import type { ActivityWithParts } from "../../../activities/activity.ts";
import { duration, number, spaced } from "../../format.ts";
import { bareSpeed, poolLength, speed } from "../../units.ts";
import { ColumnTable, type Column } from "../columns.tsx";
import { Bars, joined, type Bar } from "./bars.tsx";
import { Folded } from "./folded.tsx";
import type { LapActivity } from "./laps.tsx";

type Length = ActivityWithParts["lengths"][number];

const SPORT = "swimming";
const METERS = 100;

interface Swum {
  length: Length;
  seconds: number | null;
  metersPerSecond: number | null;
  /** Seconds plus strokes. */
  swolf: number | null;
}

function swumOf(length: Length, poolMeters: number | null): Swum {
  const seconds = length.elapsed_time_in_seconds;
  if (length.type === "idle") return { length, seconds, metersPerSecond: null, swolf: null };
  const own = length.average_speed_in_meters_per_second;
  const computed = seconds === null || seconds === 0 || poolMeters === null ? null : poolMeters / seconds;
  return {
    length,
    seconds,
    metersPerSecond: own === null || own === 0 ? computed : own,
    swolf:
      seconds === null || length.strokes === null || length.strokes === 0 ? null : seconds + length.strokes,
  };
}

function columnsOf(): Column<Swum>[] {
  return [
    { name: "Length", isNumber: true, of: ({ length }) => number(length.length_index + 1) },
    {
      name: "Lap",
      isNumber: true,
      of: ({ length: { lap_index: lap } }) => number(lap === null ? null : lap + 1),
    },
    { name: "Type", of: ({ length }) => (length.type === "idle" ? "rest" : spaced(length.type)) },
    { name: "Stroke", of: ({ length }) => spaced(length.stroke) },
    { name: "Time", isNumber: true, of: ({ seconds }) => number(seconds, 1, "s") },
    { name: "Pace", isNumber: true, of: ({ metersPerSecond }) => speed(metersPerSecond, SPORT) },
    {
      name: "Strokes",
      isNumber: true,
      of: ({ length: { strokes } }) => number(strokes === 0 ? null : strokes),
    },
    { name: "SWOLF", isNumber: true, of: ({ swolf }) => number(swolf) },
    {
      name: "Cadence",
      isNumber: true,
      of: ({ length: { average_cadence_in_cycles_per_minute: cadence } }) =>
        number(cadence === 0 ? null : cadence, 0, "/min"),
    },
  ];
}

/** Strokes with a color of their own. Others have that of `mixed`. */
const STROKES = new Set(["freestyle", "backstroke", "breaststroke", "butterfly", "drill"]);

const toneOf = (stroke: string | null) => (STROKES.has(stroke ?? "") ? (stroke ?? "") : "mixed");

/** Returns the bars of the active lengths at their times. Rests are the gaps between them. */
function barsOf(swum: readonly Swum[], valueOf: (swum: Swum) => number | null): Bar[] {
  let clock = 0;
  const first = swum.find(({ length }) => length.start_time_in_seconds !== null)?.length;
  return swum.flatMap((one): Bar[] => {
    const { length, seconds, metersPerSecond, swolf } = one;
    const start = length.start_time_in_seconds;
    const from = start === null ? clock : start - (first?.start_time_in_seconds ?? 0);
    // Lengths with the time of an earlier one follow each other.
    const begins = Math.max(from, clock);
    clock = begins + (seconds ?? 0);
    if (length.type === "idle") return [];
    const text = joined([
      `Length ${length.length_index + 1}`,
      length.lap_index === null ? null : `lap ${length.lap_index + 1}`,
      duration(seconds),
      speed(metersPerSecond, SPORT),
      length.strokes === null || length.strokes === 0 ? null : `${length.strokes} strokes`,
      swolf === null ? null : `SWOLF ${Math.round(swolf)}`,
      spaced(length.stroke),
    ]);
    return [{ from: begins, to: clock, value: valueOf(one), tone: toneOf(length.stroke), text }];
  });
}

/** The lengths of a pool swim as bars of pace and SWOLF, and as a table. */
export function Pool({ activity }: { activity: LapActivity }) {
  const { lengths, pool_length_in_meters: poolMeters } = activity;
  const swum = useMemo(() => lengths.map((length) => swumOf(length, poolMeters)), [lengths, poolMeters]);
  const paces = useMemo(() => barsOf(swum, ({ metersPerSecond }) => metersPerSecond), [swum]);
  const swolfs = useMemo(() => barsOf(swum, ({ swolf }) => swolf), [swum]);
  if (lengths.length === 0) return null;
  const strokes = [...new Set(paces.map(({ tone }) => tone))];
  return (
    <section class="pool">
      <h2>
        {paces.length} lengths{poolMeters === null ? "" : ` of ${poolLength(poolMeters)}`}
      </h2>
      <p class="legend">
        {strokes.map((tone) => (
          <span key={tone}>
            <span class={`swatch ${tone}`} /> {tone}
          </span>
        ))}
        <span class="soft">A gap is a rest.</span>
      </p>
      <h3>Pace, min/{METERS} m</h3>
      <Bars
        label={`Pace of ${paces.length} lengths`}
        noun="Length"
        bars={paces}
        paceMeters={METERS}
        format={(value) => bareSpeed(value, SPORT)}
      />
      {swolfs.some(({ value }) => value !== null) && (
        <>
          <h3>SWOLF, seconds plus strokes of a length</h3>
          <Bars label={`SWOLF of ${swolfs.length} lengths`} noun="Length" bars={swolfs} paceMeters={null} />
        </>
      )}
      <Folded rows={lengths.length} noun="lengths and rests">
        <ColumnTable label="Lengths" rows={swum} columns={columnsOf()} />
      </Folded>
    </section>
  );
}
