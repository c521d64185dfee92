import { useState } from "preact/hooks";
import type { UsageDay } from "../../usage/days.ts";
import { bytes, number, titled } from "../format.ts";
import { DayChart, dateOf, type Series } from "./dayChart.tsx";
import { Table } from "./list.tsx";
import { Empty } from "./page.tsx";

/** What `GET /api/usage/` returns. */
export interface UsageDays {
  data: UsageDay[];
}

/** Numbers of days that the chart offers. The service keeps more. */
const SPANS = [14, 30, 90] as const;
export const LONGEST_SPAN = 90;

interface Kind {
  name: string;
  series: readonly Series<UsageDay>[];
  isBytes?: true;
  note: string;
}

const KINDS: readonly [Kind, ...Kind[]] = [
  {
    name: "Files",
    series: [
      { name: "imported", tone: "imported", of: ({ files }) => files.imported },
      { name: "failed", tone: "failed", of: ({ files }) => files.failed },
      { name: "deleted", tone: "skipped", of: ({ files }) => files.deleted },
    ],
    note: "A file that is imported again counts again.",
  },
  {
    name: "Stored bytes",
    series: [{ name: "stored", tone: "queued", of: ({ stored_bytes }) => stored_bytes }],
    isBytes: true,
    note: "Bytes of originals that were stored on the day. Bytes that were removed later are not subtracted.",
  },
  {
    name: "Requests",
    series: [
      { name: "succeeded (2xx)", tone: "imported", of: ({ requests }) => requests.status_2xx },
      { name: "rejected (4xx)", tone: "warned", of: ({ requests }) => requests.status_4xx },
      { name: "over a limit (429)", tone: "skipped", of: ({ requests }) => requests.status_429 },
      { name: "failed (5xx)", tone: "failed", of: ({ requests }) => requests.status_5xx },
    ],
    note: "Requests with a valid key, also those of this console. They are counted within a minute.",
  },
  {
    name: "Deliveries",
    series: [
      { name: "delivered", tone: "imported", of: ({ deliveries }) => deliveries.delivered },
      { name: "failed", tone: "failed", of: ({ deliveries }) => deliveries.failed },
    ],
    note: "Attempts to deliver events to your endpoints, without test events.",
  },
];

/** The partner's usage by day as a chart and as a table. `days`: the last `LONGEST_SPAN` days, oldest first. */
export function Usage({ days }: { days: readonly UsageDay[] }) {
  const [chosen, setChosen] = useState("Files");
  const [span, setSpan] = useState<number>(SPANS[1]);
  const kind = KINDS.find(({ name }) => name === chosen) ?? KINDS[0];
  const shown = days.slice(-span);
  const used = shown.filter((day) => kind.series.some(({ of }) => of(day) > 0));
  const format = kind.isBytes === true ? bytes : (value: number) => number(value);
  return (
    <section class="usage">
      <h2>Usage by day</h2>
      <div class="choices">
        <div class="chips" role="group" aria-label="What is counted">
          {KINDS.map(({ name }) => (
            <button
              key={name}
              type="button"
              aria-pressed={name === kind.name}
              onClick={() => setChosen(name)}
            >
              {name}
            </button>
          ))}
        </div>
        <div class="chips" role="group" aria-label="Number of days">
          {SPANS.map((one) => (
            <button key={one} type="button" aria-pressed={one === span} onClick={() => setSpan(one)}>
              {one} days
            </button>
          ))}
        </div>
      </div>
      {used.length === 0 ? (
        <Empty>None in the last {span} days.</Empty>
      ) : (
        <>
          <DayChart
            days={shown}
            series={kind.series}
            none="none"
            {...(kind.isBytes === true ? { unit: byteUnit(shown, kind) } : {})}
            format={format}
          />
          <UsageTable kind={kind} days={used} format={format} />
        </>
      )}
      <p class="soft">Days are in UTC. {kind.note}</p>
    </section>
  );
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Returns the largest unit of which the highest day has at least two. */
function byteUnit(days: readonly UsageDay[], { series }: Kind): { size: number; name: string } {
  const most = Math.max(...days.map((day) => series.reduce((sum, { of }) => sum + of(day), 0)));
  const power = BYTE_UNITS.findLastIndex((_, index) => most >= 2 * 1024 ** index);
  return { size: 1024 ** Math.max(0, power), name: BYTE_UNITS[power] ?? "B" };
}

/** The sum, then the days with any use, newest first. */
function UsageTable({
  kind: { name, series },
  days,
  format,
}: {
  kind: Kind;
  days: readonly UsageDay[];
  format: (value: number) => string;
}) {
  const cells = (valueOf: (one: Series<UsageDay>) => number) =>
    series.map((one) => (
      <td key={one.name} class="number">
        {format(valueOf(one))}
      </td>
    ));
  return (
    <details>
      <summary>The numbers of each day</summary>
      <Table
        label={`${name} by day`}
        head={["Day", ...series.map((one) => [titled(one.name), "number"] as const)]}
      >
        <tr class="sum">
          <td>Sum</td>
          {cells(({ of }) => days.reduce((sum, day) => sum + of(day), 0))}
        </tr>
        {days.toReversed().map((day) => (
          <tr key={day.day}>
            <td>{dateOf(day.day)}</td>
            {cells(({ of }) => of(day))}
          </tr>
        ))}
      </Table>
    </details>
  );
}
