import { useMemo } from "preact/hooks";
import { duration, number } from "../../format.ts";
import { bareSpeed, distance, speed, speedFactor, speedUnit } from "../../units.ts";
import { ColumnTable, type Column } from "../columns.tsx";
import { Bars, joined, type Bar } from "./bars.tsx";
import { Folded } from "./folded.tsx";
import type { Ride } from "./ride.tsx";
import { averageOf, sumsOf, type Columns, type Range } from "./traces.ts";

/** Lengths of a split, in meters. The first with few enough splits is used. */
const SPLIT_METERS = [1000, 5000, 10_000, 50_000, 100_000] as const;
const SWIM_METERS = [100, 500, 1000, 5000] as const;
const MOST_SPLITS = 50;
/** A shorter rest of the distance has no split. */
const LEAST_REST = 0.1;

interface Split {
  rows: Range;
  meters: number;
  seconds: number;
  ascent: number | null;
  heartRate: number | null;
}

/** Returns parts of equal distance. The last one has the rest. Pauses do not count. */
function splitsOf(columns: Columns, gaps: ReadonlySet<number>, meters: number): Split[] {
  const distances = columns["distance_in_meters"] ?? [];
  const hearts = columns["heart_rate_in_beats_per_minute"] ?? [];
  const splits: Split[] = [];
  let [from, fromMeters, covered] = [0, 0, 0];
  const finish = (to: number) => {
    const { seconds, ascent } = sumsOf(columns, gaps, [from, to]);
    const length = covered - fromMeters;
    if (seconds > 0) {
      const heartRate = averageOf(hearts, columns, gaps, [from, to]);
      splits.push({ rows: [from, to], meters: length, seconds, ascent, heartRate });
    }
    [from, fromMeters] = [to, covered];
  };
  distances.forEach((value, row) => {
    if (value === null || value < covered) return;
    covered = value;
    if (covered - fromMeters >= meters) finish(row);
  });
  if (covered - fromMeters > LEAST_REST * meters) finish(distances.length - 1);
  return splits;
}

/** Bars and a table of parts of equal distance. */
export function Splits({ ride, sport, isPool }: { ride: Ride; sport: string; isPool: boolean }) {
  const { columns, gaps } = ride;
  const total = useMemo(
    () =>
      (columns["distance_in_meters"] ?? []).reduce<number>((most, value) => Math.max(most, value ?? 0), 0),
    [columns],
  );
  const sizes = sport === "swimming" ? SWIM_METERS : SPLIT_METERS;
  const meters = sizes.find((size) => total / size <= MOST_SPLITS) ?? 100_000;
  const splits = useMemo(() => splitsOf(columns, gaps, meters), [columns, gaps, meters]);
  const bars = useMemo(() => barsOf(splits, sport), [splits, sport]);
  if (isPool || splits.length < 2) return null;
  const { paceMeters, unit, name } = speedUnit(sport);
  return (
    <section class="splits">
      <h2>Splits of {meters < 1000 ? `${meters} m` : `${meters / 1000} km`}</h2>
      <p class="soft">
        Average {name.toLowerCase()}, {unit}, by distance; a click zooms the charts to a split
      </p>
      <Bars
        label={`${name} of ${splits.length} splits`}
        noun="Split"
        bars={bars}
        paceMeters={paceMeters}
        {...(paceMeters === null ? {} : { format: (value: number) => bareSpeed(value, sport) })}
        onChosen={(index) => ride.onAt(splits[index]?.rows[0] ?? null)}
        onPick={(index) => ride.onZoom(splits[index]?.rows ?? null)}
      />
      <Folded rows={splits.length} noun="splits">
        <ColumnTable label="Splits" rows={splits} columns={columnsOf(splits, sport, name)} />
      </Folded>
    </section>
  );
}

function barsOf(splits: readonly Split[], sport: string): Bar[] {
  let end = 0;
  return splits.map((split): Bar => {
    const from = end;
    end += split.meters;
    const value = split.meters / split.seconds;
    const factor = speedFactor(sport);
    const text = joined([
      `${distance(from)} to ${distance(end)}`,
      duration(split.seconds),
      speed(value, sport),
      split.heartRate === null ? null : number(split.heartRate, 0, "bpm"),
      split.ascent === null ? null : `+${number(split.ascent, 0, "m")}`,
    ]);
    return { from, to: end, value: value * factor, tone: "speed", text };
  });
}

function columnsOf(splits: readonly Split[], sport: string, name: string): Column<Split>[] {
  return [
    { name: "Split", isNumber: true, of: (split) => number(splits.indexOf(split) + 1) },
    { name: "Distance", isNumber: true, of: (split) => distance(split.meters) },
    { name: "Time", isNumber: true, of: (split) => duration(split.seconds) },
    { name, isNumber: true, of: (split) => speed(split.meters / split.seconds, sport) },
    { name: "Heart rate", isNumber: true, of: (split) => number(split.heartRate, 0, "bpm") },
    { name: "Ascent", isNumber: true, of: (split) => number(split.ascent, 0, "m") },
  ];
}
