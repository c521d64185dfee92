import type { Overview } from "../../overview/overview.ts";
import { number } from "../format.ts";
import { addressOf } from "../router.ts";

const STATUSES = ["imported", "queued", "held", "failed", "skipped"] as const;
type Day = Overview["days"][number];

/** Returns the number of files of a day. */
export function filesOf(day: Day): number {
  return STATUSES.reduce((sum, status) => sum + day[status], 0);
}

/** Returns the top of the scale: the smallest of 2, 4, 10, 20, 40, 100 … that is not below `most`. Half of it is whole. */
export function topOf(most: number): number {
  for (let power = 1; ; power *= 10) {
    const top = [2, 4, 10].map((factor) => factor * power).find((one) => one >= most);
    if (top !== undefined) return top;
  }
}

/** Returns the date of a day: `28 Nov`. */
function dateOf(day: string): string {
  return new Date(`${day}T00:00:00Z`).toLocaleDateString(undefined, {
    day: "numeric",
    month: "short",
    timeZone: "UTC",
  });
}

/** Files by day and status, with a scale. Each day is a link to its files. */
export function DayChart({ days }: { days: readonly Day[] }) {
  const top = topOf(Math.max(1, ...days.map(filesOf)));
  return (
    <>
      <ul class="legend" aria-hidden="true">
        {STATUSES.filter((status) => days.some((day) => day[status] > 0)).map((status) => (
          <li key={status}>
            <span class={`swatch ${status}`} />
            {status}
          </li>
        ))}
      </ul>
      <div class="daychart">
        <ol class="scale" aria-hidden="true">
          {[top, top / 2, 0].map((tick) => (
            <li key={tick}>{number(tick)}</li>
          ))}
        </ol>
        <ol class="daybars">
          {days.map((day) => (
            <li key={day.day}>
              <a href={addressOf(["files"], { from: day.day, to: day.day })} title={wordsOf(day)}>
                <span class="plot" aria-hidden="true">
                  <span class="stack" style={{ "--share": String(filesOf(day) / top) }}>
                    {STATUSES.filter((status) => day[status] > 0).map((status) => (
                      <i key={status} class={`swatch ${status}`} style={{ flexGrow: day[status] }} />
                    ))}
                  </span>
                </span>
                <span class="date" aria-hidden="true">
                  {dateOf(day.day)}
                </span>
                <span class="unseen">{wordsOf(day)}</span>
              </a>
            </li>
          ))}
        </ol>
      </div>
    </>
  );
}

function wordsOf(day: Day): string {
  const counts = STATUSES.filter((status) => day[status] > 0).map(
    (status) => `${number(day[status])} ${status}`,
  );
  return `${dateOf(day.day)}: ${counts.length === 0 ? "no files" : counts.join(", ")}`;
}
