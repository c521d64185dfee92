import type { Baseline } from "../../training/baseline.ts";
import type { Api } from "../api.ts";
import { hours, number } from "../format.ts";
import { useLoad } from "../load.ts";
import { Empty, Facts, ProblemBox } from "./page.tsx";
import { Skeleton } from "./skeleton.tsx";

const HEIGHT = 100;
/** Width of a day in the drawing, and of its bar. */
const DAY = 4;
const BAR = 3;

/** The training of a user: load, fitness and fatigue of the last days. */
export function Training({ api, path }: { api: Api; path: string }) {
  const training = useLoad<Baseline>(api, `${path}training/`);
  const { value, problem } = training;
  return (
    <section>
      <h2>Training</h2>
      <ProblemBox problem={problem} onRetry={training.reload} />
      {value === null ? problem === null && <Skeleton lines={4} /> : <Load training={value} />}
    </section>
  );
}

function Load({ training: { days, fitness, averages, activities } }: { training: Baseline }) {
  if (activities > 0 && days.load.every((load) => load === 0)) {
    return <Empty>No training load in the last {days.load.length} days.</Empty>;
  }
  if (activities === 0) return <Empty>No activities to compute a training load from.</Empty>;
  const month = averages.find((average) => average.days === 28);
  const top = Math.max(1, ...days.load, ...days.fitness, ...days.fatigue);
  const y = (load: number) => HEIGHT - (load / top) * HEIGHT;
  const line = (values: readonly number[]) =>
    values.map((value, day) => `${day * DAY + BAR / 2},${y(value).toFixed(1)}`).join(" ");
  return (
    <>
      <Facts
        facts={[
          ["Fitness (42 days)", number(fitness.fitness, 1)],
          ["Fatigue (7 days)", number(fitness.fatigue, 1)],
          ["Form", number(fitness.form, 1)],
          ...(month === undefined
            ? []
            : [
                [
                  "Last 28 days",
                  `${number(month.activities)} activities, ${hours(month.duration_in_seconds_per_day * 28)}\u00a0h`,
                ] as const,
              ]),
        ]}
      />
      <svg
        class="load"
        viewBox={`0 0 ${days.load.length * DAY} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Load of each of the ${days.load.length} days from ${days.first_day}, at most ${number(Math.max(0, ...days.load))}`}
      >
        {days.load.map((load, day) =>
          load === 0 ? null : (
            <rect key={day} x={day * DAY} y={y(load)} width={BAR} height={HEIGHT - y(load)} />
          ),
        )}
        <polyline class="fitness" points={line(days.fitness)} />
        <polyline class="fatigue" points={line(days.fatigue)} />
      </svg>
      <ul class="legend">
        <li>
          <span class="swatch load" aria-hidden="true" />
          Load of a day, last {days.load.length} days
        </li>
        <li>
          <span class="swatch fitness" aria-hidden="true" />
          Fitness
        </li>
        <li>
          <span class="swatch fatigue" aria-hidden="true" />
          Fatigue
        </li>
      </ul>
    </>
  );
}
