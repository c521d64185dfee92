import type { ComponentChildren } from "preact";
import { number } from "../format.ts";

/** One part of a day's column. `tone`: class of its color. */
export interface Series<Day> {
  name: string;
  tone: string;
  of: (day: Day) => number;
}

/** A chart with at most this many days has a date at each. */
const DATED_DAYS = 14;
/** Maximum number of dates at a chart of more days. */
const DATES_SHOWN = 7;

/** Returns the height of a day's column. */
function sumOf<Day>(series: readonly Series<Day>[], day: Day): number {
  return series.reduce((sum, { of }) => sum + of(day), 0);
}

/** Returns the top of the scale: the smallest of 2, 4, 10, 20, 40, 100 … that is not below `most`. Half of it is whole. */
export function topOf(most: number): number {
  for (let power = 1; ; power *= 10) {
    const top = [2, 4, 10].map((factor) => factor * power).find((one) => one >= most);
    if (top !== undefined) return top;
  }
}

/** Returns the date of a day: `28 Nov`. */
export function dateOf(day: string): string {
  return new Date(`${day}T00:00:00Z`).toLocaleDateString(undefined, {
    day: "numeric",
    month: "short",
    timeZone: "UTC",
  });
}

/**
 * A column for each day, with a scale. `none`: words for a day without any. `hrefOf`: address of what a day contains.
 * `unit`: the unit of the scale. `format` formats numbers.
 */
export function DayChart<Day extends { day: string }>({
  days,
  series,
  none,
  unit = { size: 1, name: "" },
  format = number,
  hrefOf,
}: {
  days: readonly Day[];
  series: readonly Series<Day>[];
  none: string;
  unit?: { size: number; name: string };
  format?: (value: number) => string;
  hrefOf?: (day: Day) => string;
}) {
  const top = topOf(Math.max(1, ...days.map((day) => sumOf(series, day) / unit.size)));
  const every = days.length <= DATED_DAYS ? 1 : Math.ceil(days.length / DATES_SHOWN);
  const wordsOf = (day: Day) => {
    const counts = series.filter(({ of }) => of(day) > 0).map(({ name, of }) => `${format(of(day))} ${name}`);
    return `${dateOf(day.day)}: ${counts.length === 0 ? none : counts.join(", ")}`;
  };
  return (
    <>
      <ul class="legend" aria-hidden="true">
        {series
          .filter(({ of }) => days.some((day) => of(day) > 0))
          .map(({ name, tone }) => (
            <li key={name}>
              <span class={`swatch ${tone}`} />
              {name}
            </li>
          ))}
      </ul>
      <div class={every > 1 ? "daychart dense" : "daychart"}>
        <ol class="scale" aria-hidden="true">
          {[top, top / 2, 0].map((tick) => (
            <li key={tick}>{number(tick, 0, unit.name)}</li>
          ))}
        </ol>
        <ol class="daybars">
          {days.map((day, index) => (
            <li key={day.day}>
              <Column href={hrefOf?.(day)} words={wordsOf(day)}>
                <span class="plot" aria-hidden="true">
                  <span class="stack" style={{ "--share": String(sumOf(series, day) / unit.size / top) }}>
                    {series
                      .filter(({ of }) => of(day) > 0)
                      .map(({ name, tone, of }) => (
                        <i key={name} class={`swatch ${tone}`} style={{ flexGrow: of(day) }} />
                      ))}
                  </span>
                </span>
                <span class="total" aria-hidden="true">
                  {sumOf(series, day) > 0 && format(sumOf(series, day))}
                </span>
                <span class={dateClass((days.length - 1 - index) / every)} aria-hidden="true">
                  {(days.length - 1 - index) % every === 0 && dateOf(day.day)}
                </span>
              </Column>
            </li>
          ))}
        </ol>
      </div>
    </>
  );
}

/** Returns the class of a date, counted from the last one. A narrow screen has no room for every second one. */
function dateClass(index: number): string {
  return index % 2 === 1 ? "date minor" : "date";
}

/** A day of a chart, as a link where it has an address. */
function Column({
  href,
  words,
  children,
}: {
  href: string | undefined;
  words: string;
  children: ComponentChildren;
}) {
  const content = (
    <>
      {children}
      <span class="unseen">{words}</span>
    </>
  );
  return href === undefined ? (
    <div class="slot" title={words}>
      {content}
    </div>
  ) : (
    <a class="slot" href={href} title={words}>
      {content}
    </a>
  );
}
