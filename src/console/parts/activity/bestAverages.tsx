import { useMemo } from "preact/hooks";
import type { ActivityWithParts } from "../../../activities/activity.ts";
import { duration, number } from "../../format.ts";
import { bareSpeed, speed, speedFactor, speedUnit } from "../../units.ts";
import { Bars, type Bar } from "./bars.tsx";

type BestEfforts = ActivityWithParts["best_efforts"];

interface Best {
  seconds: number;
  value: number;
}

function bestsOf(durations: readonly number[], values: readonly (number | null)[] | null): Best[] {
  return durations.flatMap((seconds, index) => {
    const value = values?.[index] ?? null;
    return value === null || value === 0 ? [] : [{ seconds, value }];
  });
}

/** Best average power, and speed or pace, over durations from 5 seconds to an hour. */
export function BestAverages({
  efforts,
  sport,
  isPool,
}: {
  efforts: BestEfforts;
  sport: string;
  /** Lengths show the pace in a pool better. */
  isPool: boolean;
}) {
  const { durations_in_seconds: durations } = efforts;
  const powers = useMemo(() => bestsOf(durations, efforts.power_in_watts), [efforts]);
  const speeds = useMemo(
    () => (isPool ? [] : bestsOf(durations, efforts.speed_in_meters_per_second)),
    [efforts, isPool],
  );
  const { name, unit, paceMeters } = speedUnit(sport);
  return (
    <>
      <Curve
        title="Power curve"
        unit="W"
        bests={powers}
        factor={1}
        paceMeters={null}
        format={(value) => number(value, 0, "W")}
      />
      <Curve
        title={`Best ${name.toLowerCase()}`}
        unit={unit}
        bests={speeds}
        factor={speedFactor(sport)}
        paceMeters={paceMeters}
        format={(value) => speed(value, sport)}
        {...(paceMeters === null ? {} : { formatTick: (value: number) => bareSpeed(value, sport) })}
      />
    </>
  );
}

function Curve({
  title,
  unit,
  bests,
  factor,
  paceMeters,
  format,
  formatTick,
}: {
  title: string;
  unit: string;
  bests: readonly Best[];
  factor: number;
  paceMeters: number | null;
  format: (value: number) => string;
  formatTick?: (value: number) => string;
}) {
  const bars = useMemo(
    () =>
      bests.map(({ seconds, value }, index): Bar => {
        const text = `Best ${duration(seconds)} · ${format(value)}`;
        const tone = unit === "W" ? "power" : "speed";
        return { from: index, to: index + 1, value: value * factor, tone, text };
      }),
    [bests],
  );
  if (bars.length === 0) return null;
  return (
    <section class="curve">
      <h2>{title}</h2>
      <p class="soft">Best average over each duration, {unit}</p>
      <Bars
        label={`${title}: ${bars.map(({ text }) => text).join(", ")}`}
        noun="Duration"
        bars={bars}
        paceMeters={paceMeters}
        captions={bests.map(({ seconds }) => duration(seconds))}
        {...(formatTick === undefined ? {} : { format: formatTick })}
      />
    </section>
  );
}
