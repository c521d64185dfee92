import { useMemo } from "preact/hooks";
import type { ActivityWithParts } from "../../../activities/activity.ts";
import { duration, number, spaced } from "../../format.ts";
import { bareSpeed, distance, speed, speedFactor, speedUnit } from "../../units.ts";
import { ColumnTable, type Column } from "../columns.tsx";
import { Bars, joined, type Bar } from "./bars.tsx";
import { Folded } from "./folded.tsx";
import type { Ride } from "./ride.tsx";
import { rowAt } from "./traces.ts";

type Lap = ActivityWithParts["laps"][number];

/** Fields of an activity that its laps and lengths are shown with. */
export interface LapActivity {
  sport: string;
  start_time_in_seconds: number | null;
  pool_length_in_meters: number | null;
  laps: readonly Lap[];
  lengths: ActivityWithParts["lengths"];
}

const timeOf = (lap: Lap) => lap.timer_time_in_seconds ?? lap.elapsed_time_in_seconds;
const some = (value: number | null) => (value === 0 ? null : value);

function columnsOf(sport: string, isPool: boolean): Column<Lap>[] {
  const { name } = speedUnit(sport);
  return [
    { name: "Lap", isNumber: true, of: (lap) => number(lap.lap_index + 1) },
    { name: "Time", isNumber: true, of: (lap) => duration(timeOf(lap)) },
    { name: "Distance", isNumber: true, of: (lap) => distance(some(lap.distance_in_meters), isPool) },
    { name, isNumber: true, of: (lap) => speed(some(lap.average_speed_in_meters_per_second), sport) },
    {
      name: "Heart rate",
      isNumber: true,
      of: (lap) => number(some(lap.average_heart_rate_in_beats_per_minute), 0, "bpm"),
    },
    { name: "Power", isNumber: true, of: (lap) => number(some(lap.average_power_in_watts), 0, "W") },
    { name: "Ascent", isNumber: true, of: (lap) => number(some(lap.ascent_in_meters), 0, "m") },
    { name: "Stroke", of: (lap) => spaced(lap.stroke) },
    { name: "Strokes", isNumber: true, of: (lap) => number(some(lap.strokes)) },
    { name: "SWOLF", isNumber: true, of: (lap) => number(some(lap.average_swolf)) },
    { name: "Active lengths", isNumber: true, of: (lap) => number(some(lap.number_of_active_lengths)) },
    { name: "Intensity", of: (lap) => spaced(lap.intensity) },
    {
      name: "Workout step",
      isNumber: true,
      of: ({ workout_step_index: step }) => number(step === null ? null : step + 1),
    },
    { name: "Ended by", of: (lap) => spaced(lap.trigger) },
  ];
}

const EASY: ReadonlySet<string> = new Set(["rest", "recovery", "warmup", "cooldown"]);

/** What the bars of laps show. */
interface Height {
  name: string;
  unit: string;
  tone: string;
  /** Distance of the pace that the heights are shown as; null for other values. */
  paceMeters: number | null;
  of: (lap: Lap) => number | null;
}

/** Returns power on a bike, else speed, else heart rate: the first that some lap has. */
function heightOf(laps: readonly Lap[], sport: string): Height | null {
  const { name, unit, paceMeters } = speedUnit(sport);
  const factor = speedFactor(sport);
  const scaled = (value: number | null) => (value === null ? null : value * factor);
  const power: Height = {
    name: "power",
    unit: "W",
    tone: "power",
    paceMeters: null,
    of: (lap) => some(lap.average_power_in_watts),
  };
  const heights: Height[] = [
    ...(paceMeters === null ? [power] : []),
    {
      name: name.toLowerCase(),
      unit,
      tone: "speed",
      paceMeters,
      of: (lap) => scaled(some(lap.average_speed_in_meters_per_second)),
    },
    {
      name: "heart rate",
      unit: "bpm",
      tone: "heart",
      paceMeters: null,
      of: (lap) => some(lap.average_heart_rate_in_beats_per_minute),
    },
  ];
  return heights.find(({ of }) => laps.some((lap) => of(lap) !== null)) ?? null;
}

/** Returns a bar for each lap, as wide as its time. */
function barsOf(laps: readonly Lap[], sport: string, isPool: boolean, height: Height | null) {
  let end = 0;
  const bars = laps.map((lap): Bar => {
    const from = end;
    end += timeOf(lap) ?? 0;
    const text = joined([
      `Lap ${lap.lap_index + 1}`,
      duration(timeOf(lap)),
      distance(some(lap.distance_in_meters), isPool),
      speed(some(lap.average_speed_in_meters_per_second), sport),
      number(some(lap.average_power_in_watts), 0, "W"),
      number(some(lap.average_heart_rate_in_beats_per_minute), 0, "bpm"),
      lap.intensity === null || lap.intensity === "active" ? null : spaced(lap.intensity),
    ]);
    const tone = EASY.has(lap.intensity ?? "") ? "easy" : (height?.tone ?? "easy");
    return { from, to: end, value: height?.of(lap) ?? null, tone, text };
  });
  return bars;
}

/** Bars and a table of the laps. With `ride`, a lap can be zoomed to. */
export function Laps({ activity, ride }: { activity: LapActivity; ride?: Ride }) {
  const { laps, sport, pool_length_in_meters: pool, start_time_in_seconds: start } = activity;
  const isPool = pool !== null;
  const height = useMemo(() => heightOf(laps, sport), [laps, sport]);
  const bars = useMemo(() => barsOf(laps, sport, isPool, height), [laps, sport, isPool, height]);
  if (laps.length === 0) return null;
  const rowOf = (seconds: number | null) =>
    ride === undefined || start === null || seconds === null ? null : rowAt(ride.columns, seconds - start);
  const picked = (index: number) => {
    const lap = laps[index];
    const from = rowOf(lap?.start_time_in_seconds ?? null);
    const seconds = lap?.elapsed_time_in_seconds ?? lap?.timer_time_in_seconds ?? 0;
    const to = rowOf((lap?.start_time_in_seconds ?? 0) + seconds);
    if (from !== null && to !== null && to > from) ride?.onZoom([from, to]);
  };
  const canZoom = ride !== undefined && ride.traces.length > 0 && start !== null;
  return (
    <section class="laps">
      <h2>Laps</h2>
      {laps.length > 1 && height !== null && (
        <>
          <p class="soft">
            Average {height.name}, {height.unit}, by time
            {canZoom && "; a click zooms the charts to a lap"}
          </p>
          <Bars
            label={`Average ${height.name} of ${laps.length} laps`}
            noun="Lap"
            bars={bars}
            paceMeters={height.paceMeters}
            {...(height.paceMeters === null ? {} : { format: (value: number) => bareSpeed(value, sport) })}
            onChosen={
              canZoom ? (index) => ride.onAt(rowOf(laps[index]?.start_time_in_seconds ?? null)) : undefined
            }
            onPick={canZoom ? picked : undefined}
          />
        </>
      )}
      <Folded rows={laps.length} noun="laps">
        <ColumnTable label="Laps" rows={laps} columns={columnsOf(sport, isPool)} />
      </Folded>
    </section>
  );
}
