import { useMemo } from "preact/hooks";
import { duration, number } from "../../format.ts";
import { Bars, type Bar } from "./bars.tsx";
import type { Columns } from "./traces.ts";

const DURATIONS = [5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600];
/** Records further apart than this on average are too coarse for the short durations. */
const LONGEST_STEP = 2;

/** Best averages that the service computed. */
export interface BestEfforts {
  durations_in_seconds: readonly number[];
  power_in_watts: readonly (number | null)[] | null;
}

interface Best {
  seconds: number;
  watts: number;
}

/**
 * Returns the best average power over each duration. Time without a reading counts as 0 W. Null for records that are too
 * far apart.
 */
export function bestPowersOf(columns: Columns): Best[] | null {
  const times = columns["time_in_seconds"] ?? [];
  const watts = columns["power_in_watts"];
  const first = times[0] ?? 0;
  const total = Math.floor((times.at(-1) ?? 0) - first);
  if (watts === undefined || times.length < 2 || total / times.length > LONGEST_STEP) return null;
  // Work until each second, in joules. A reading is for the seconds since the one before it.
  const work = new Float64Array(total + 1);
  for (let row = 1; row < times.length; row++) {
    const [from, to] = [(times[row - 1] ?? 0) - first, (times[row] ?? 0) - first];
    const isGap = to - from > 2 * LONGEST_STEP;
    for (let second = Math.floor(from) + 1; second <= Math.min(total, to); second++) {
      work[second] = isGap ? 0 : (watts[row] ?? 0);
    }
  }
  for (let second = 1; second <= total; second++)
    work[second] = (work[second] ?? 0) + (work[second - 1] ?? 0);
  return DURATIONS.filter((seconds) => seconds <= total).map((seconds) => {
    let most = 0;
    for (let end = seconds; end <= total; end++) {
      most = Math.max(most, (work[end] ?? 0) - (work[end - seconds] ?? 0));
    }
    return { seconds, watts: most / seconds };
  });
}

function storedBestsOf(efforts: BestEfforts | null): Best[] | null {
  const powers = efforts?.power_in_watts ?? null;
  if (efforts === null || powers === null) return null;
  return efforts.durations_in_seconds.flatMap((seconds, index) => {
    const watts = powers[index] ?? null;
    return watts === null ? [] : [{ seconds, watts }];
  });
}

/** Best average power over durations from 5 seconds to an hour. */
export function PowerCurve({
  columns,
  isThinned,
  bestEfforts,
}: {
  columns: Columns;
  isThinned: boolean;
  bestEfforts: BestEfforts | null;
}) {
  const bests = useMemo(
    () => storedBestsOf(bestEfforts) ?? (isThinned ? null : bestPowersOf(columns)),
    [columns, isThinned, bestEfforts],
  );
  const bars = useMemo(
    () =>
      (bests ?? []).map(({ seconds, watts }, index): Bar => {
        const text = `Best ${duration(seconds)} · ${number(watts, 0, "W")}`;
        return { from: index, to: index + 1, value: watts === 0 ? null : watts, tone: "power", text };
      }),
    [bests],
  );
  if (bests === null || bests.every(({ watts }) => watts === 0)) return null;
  return (
    <section class="curve">
      <h2>Power curve</h2>
      <p class="soft">Best average power, W, over each duration</p>
      <Bars
        label={`Power curve: ${bars.map(({ text }) => text).join(", ")}`}
        noun="Duration"
        bars={bars}
        paceMeters={null}
        captions={bests.map(({ seconds }) => duration(seconds))}
      />
    </section>
  );
}
