import { useMemo, useState } from "preact/hooks";
import type { RrIntervals } from "../../fit/types.ts";
import type { Api } from "../api.ts";
import { counted, number } from "../format.ts";
import { useLoad } from "../load.ts";
import { Plot } from "./activity/plot.tsx";
import type { Axis, Range, Trace } from "./activity/traces.ts";
import { download } from "./download.ts";
import { Loading, ProblemBox } from "./page.tsx";

/** A longer time between two beats than their interval, by this much, interrupts the line. */
const GAP_SECONDS = 2;

/** Reads and shows the beat-to-beat intervals of an activity. */
export function ActivityBeats({ api, path, name }: { api: Api; path: string; name: string }) {
  const intervals = useLoad<RrIntervals>(api, `${path}rr/`);
  if (intervals.value !== null) return <Beats intervals={intervals.value} name={name} />;
  return intervals.problem === null ? <Loading /> : <ProblemBox problem={intervals.problem} />;
}

/** Shows beat-to-beat intervals as a tachogram. `name` begins the name of the downloaded file. */
export function Beats({ intervals, name }: { intervals: RrIntervals; name: string }) {
  const { trace, axis } = useMemo(() => tachogramOf(intervals), [intervals]);
  const [at, setAt] = useState<number | null>(null);
  const [zoom, setZoom] = useState<Range | null>(null);
  const { source, coverage, artefact_share, truncated, time_in_seconds: times } = intervals;
  const share = (value: number | null) => number(value === null ? null : value * 100, 1, "%");
  return (
    <section class="beats">
      <h2>Beat-to-beat intervals</h2>
      <p>
        {counted(times.length, "interval")} of <code>{source}</code> messages. They cover {share(coverage)} of
        the timer time. {share(artefact_share)} of them are probably artefacts.
        {truncated && " Later intervals are not shown."}
      </p>
      {trace.values.some((value) => value !== null) && (
        <Plot
          trace={trace}
          axis={axis}
          sport=""
          at={at}
          zoom={zoom}
          laps={NO_LAPS}
          onAt={setAt}
          onZoom={setZoom}
        />
      )}
      <button type="button" onClick={() => download(`${name}-rr.csv`, "text/csv", csvOf(intervals))}>
        Download the intervals as CSV
      </button>
    </section>
  );
}

const NO_LAPS: readonly number[] = [];

/**
 * Returns the intervals, with an empty point where beats are missing. Leaves out those of more than twice the median, which
 * contain missed beats: they would flatten the line.
 */
function tachogramOf({ time_in_seconds: times, intervals_in_seconds: lengths }: RrIntervals): {
  trace: Trace;
  axis: Axis;
} {
  const x: number[] = [];
  const values: (number | null)[] = [];
  const median = Float64Array.from(lengths).sort()[lengths.length >> 1] ?? 0;
  times.forEach((time, i) => {
    const length = lengths[i] ?? 0;
    if (i > 0 && time - length - (times[i - 1] ?? 0) > GAP_SECONDS) {
      x.push(time - length);
      values.push(null);
    }
    x.push(time);
    values.push(length > 2 * median ? null : length * 1000);
  });
  const rows = x.map((_, i) => i);
  return {
    trace: {
      key: "rr",
      title: "R-R interval",
      unit: "ms",
      color: "--heart",
      isSigned: false,
      values,
      format: (value) => number(value),
    },
    axis: { kind: "time", x, rows, indexOfRow: rows, pauses: [] },
  };
}

function csvOf({ time_in_seconds: times, intervals_in_seconds: lengths }: RrIntervals): string {
  const lines = times.map((time, i) => `${time},${lengths[i] ?? ""}`);
  return ["time_in_seconds,interval_in_seconds", ...lines, ""].join("\n");
}
