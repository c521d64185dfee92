import { useMemo } from "preact/hooks";
import type { ActivityWithParts } from "../../../activities/activity.ts";
import { duration, NONE, number } from "../../format.ts";
import { cadence, speed } from "../../units.ts";
import { Table } from "../list.tsx";
import { niceAbove } from "./scale.ts";
import type { Columns } from "./traces.ts";

/** Time in zones of the file, or else in bands of heart rate and power. */

interface Zone {
  low: string;
  high: string;
  seconds: number | null;
}

/** Returns a row for each zone with a time. Omits zones without an extent, with which some devices fill the list. */
function zonesOf(
  times: readonly (number | null)[] | null | undefined,
  bounds: readonly (number | null)[] | null | undefined,
  shown: (bound: number | null) => string,
): Zone[] {
  return (times ?? [])
    .map((seconds, zone) => ({
      low: zone === 0 ? NONE : shown(bounds?.[zone - 1] ?? null),
      high: shown(bounds?.[zone] ?? null),
      seconds,
    }))
    .filter(({ low, high, seconds }) => low !== high || low === NONE || (seconds ?? 0) > 0);
}

export type ZonesOfFile = ActivityWithParts["time_in_zones"];

interface Zones {
  title: string;
  color: string;
  rows: Zone[];
}

/** Bounds from here on are no bounds. */
const MOST_BEATS = 250;
const MOST_WATTS = 10_000;

function zonesOfFile(zones: ZonesOfFile, sport: string): Zones[] {
  if (zones === null) return [];
  const { heart_rate: rate, power, speed: fast, cadence: turns } = zones;
  // Devices write the highest number of a field where a zone has no end.
  const beats = (one: number | null) => number(one === null || one >= MOST_BEATS ? null : one, 0, "bpm");
  const watts = (one: number | null) => number(one === null || one >= MOST_WATTS ? null : one, 0, "W");
  const lists: Zones[] = [
    {
      title: "Time in heart rate zones",
      color: "heart",
      rows: zonesOf(rate?.time_in_seconds, rate?.upper_bounds_in_beats_per_minute, beats),
    },
    {
      title: "Time in power zones",
      color: "power",
      rows: zonesOf(power?.time_in_seconds, power?.upper_bounds_in_watts, watts),
    },
    {
      title: "Time in speed zones",
      color: "speed",
      rows: zonesOf(fast?.time_in_seconds, fast?.upper_bounds_in_meters_per_second, (one) =>
        speed(one, sport),
      ),
    },
    {
      title: "Time in cadence zones",
      color: "cadence",
      rows: zonesOf(turns?.time_in_seconds, turns?.upper_bounds_in_cycles_per_minute, (one) =>
        cadence(one, sport),
      ),
    },
  ];
  return lists.filter(({ rows }) => rows.some(({ seconds }) => seconds !== null && seconds > 0));
}

const BANDS = 8;

/** Returns the time in bands of equal width. Time in gaps does not count. */
function bandsOf(
  columns: Columns,
  gaps: ReadonlySet<number>,
  key: string,
  unit: string,
  least: number,
): Zone[] {
  const times = columns["time_in_seconds"] ?? [];
  const values = columns[key] ?? [];
  const known = values.filter((value) => value !== null);
  const [low, high] = [
    known.reduce((a, b) => Math.min(a, b), Infinity),
    known.reduce((a, b) => Math.max(a, b), -Infinity),
  ];
  if (known.length === 0 || high === 0) return [];
  const width = Math.max(least, niceAbove((high - low) / BANDS));
  const first = Math.floor(low / width);
  const seconds = Array.from({ length: Math.floor(high / width) - first + 1 }, () => 0);
  values.forEach((value, row) => {
    if (value === null || row === 0 || gaps.has(row)) return;
    const band = Math.floor(value / width) - first;
    seconds[band] = (seconds[band] ?? 0) + (times[row] ?? 0) - (times[row - 1] ?? 0);
  });
  return seconds.map((one, index) => ({
    low: number((first + index) * width, 0, unit),
    high: number((first + index + 1) * width, 0, unit),
    seconds: one,
  }));
}

export function TimeInZones({
  zones,
  sport,
  columns,
  gaps,
}: {
  zones: ZonesOfFile;
  sport: string;
  columns: Columns;
  gaps: ReadonlySet<number>;
}) {
  const shown = useMemo(() => {
    const ofFile = zonesOfFile(zones, sport);
    const bands: Zones[] = [
      {
        title: "Time by heart rate",
        color: "heart",
        rows: bandsOf(columns, gaps, "heart_rate_in_beats_per_minute", "bpm", 10),
      },
      { title: "Time by power", color: "power", rows: bandsOf(columns, gaps, "power_in_watts", "W", 20) },
    ];
    const missing = bands.filter(
      ({ color, rows }) =>
        rows.length > 0 && !ofFile.some((zone) => zone.color === color && hasBounds(zone.rows)),
    );
    return [...ofFile, ...missing];
  }, [zones, sport, columns, gaps]);
  return (
    <>
      {shown.map(({ title, color, rows }) => (
        <section key={title} class="zones">
          <h2>{title}</h2>
          <ZoneTable label={title} color={color} rows={rows} />
        </section>
      ))}
    </>
  );
}

function hasBounds(rows: readonly Zone[]): boolean {
  return rows.some(({ low, high }) => low !== NONE || high !== NONE);
}

function ZoneTable({ label, color, rows }: { label: string; color: string; rows: readonly Zone[] }) {
  const most = rows.reduce((longest, { seconds }) => Math.max(longest, seconds ?? 0), 0);
  // Some devices write times without the bounds of the zones.
  const isBounded = hasBounds(rows);
  const head = isBounded
    ? ([
        ["Above", "number"],
        ["Up to", "number"],
      ] as const)
    : (["Zone"] as const);
  return (
    <Table label={label} head={[...head, ["Time", "number"], "Share"]}>
      {rows.map(({ low, high, seconds }, index) => (
        <tr key={index}>
          {isBounded ? (
            <>
              <td class="number">{low}</td>
              <td class="number">{high}</td>
            </>
          ) : (
            <td>
              {index + 1} of {rows.length}
            </td>
          )}
          <td class="number">{duration(seconds)}</td>
          <td class="share">
            <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
              <rect
                class={`bar ${color}`}
                width={most === 0 ? 0 : ((seconds ?? 0) / most) * 100}
                height={10}
              />
            </svg>
          </td>
        </tr>
      ))}
    </Table>
  );
}
