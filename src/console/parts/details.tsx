import type { ActivityWithParts } from "../../activities/activity.ts";
import { duration, kilometersPerHour, NONE, number, spaced } from "../format.ts";
import { ColumnTable, type Column } from "./columns.tsx";
import { Facts } from "./page.tsx";

/** Details of an activity besides laps, lengths and devices. Each shows only what the file contains. */

export function Athlete({ athlete }: { athlete: ActivityWithParts["athlete"] }) {
  const all = [
    ["Max heart rate", number(athlete.max_heart_rate_in_beats_per_minute, 0, "bpm")],
    ["Threshold heart rate", number(athlete.threshold_heart_rate_in_beats_per_minute, 0, "bpm")],
    ["Resting heart rate", number(athlete.resting_heart_rate_in_beats_per_minute, 0, "bpm")],
    ["Functional threshold power", number(athlete.functional_threshold_power_in_watts, 0, "W")],
    ["Weight", number(athlete.weight_in_kilograms, 1, "kg")],
  ] as const;
  const facts = all.filter(([, value]) => value !== NONE);
  if (facts.length === 0) return null;
  return (
    <section>
      <h2>Athlete</h2>
      <Facts facts={facts} />
    </section>
  );
}

interface Zone {
  low: string;
  high: string;
  seconds: number | null;
}

/** Returns a row for each zone with a time. */
function zonesOf(
  times: readonly (number | null)[] | null | undefined,
  bounds: readonly (number | null)[] | null | undefined,
  shown: (bound: number | null) => string,
): Zone[] {
  return (times ?? []).map((seconds, zone) => ({
    low: zone === 0 ? NONE : shown(bounds?.[zone - 1] ?? null),
    high: shown(bounds?.[zone] ?? null),
    seconds,
  }));
}

export function Zones({ zones }: { zones: ActivityWithParts["time_in_zones"] }) {
  if (zones === null) return null;
  const { heart_rate: rate, power, speed, cadence } = zones;
  const tables = [
    {
      name: "heart rate",
      rows: zonesOf(rate?.time_in_seconds, rate?.upper_bounds_in_beats_per_minute, (one) =>
        number(one, 0, "bpm"),
      ),
    },
    {
      name: "power",
      rows: zonesOf(power?.time_in_seconds, power?.upper_bounds_in_watts, (one) => number(one, 0, "W")),
    },
    {
      name: "speed",
      rows: zonesOf(speed?.time_in_seconds, speed?.upper_bounds_in_meters_per_second, kilometersPerHour),
    },
    {
      name: "cadence",
      rows: zonesOf(cadence?.time_in_seconds, cadence?.upper_bounds_in_cycles_per_minute, (one) =>
        number(one, 0, "/min"),
      ),
    },
  ].filter(({ rows }) => rows.length > 0);
  return (
    <div class="columns">
      {tables.map(({ name, rows }) => (
        <section key={name}>
          <h2>Time in {name} zones</h2>
          <ColumnTable label={`Time in ${name} zones`} rows={rows} columns={ZONE_COLUMNS} />
        </section>
      ))}
    </div>
  );
}

const ZONE_COLUMNS: readonly Column<Zone>[] = [
  { name: "Above", isNumber: true, of: ({ low }) => low },
  { name: "Up to", isNumber: true, of: ({ high }) => high },
  { name: "Time", isNumber: true, of: ({ seconds }) => duration(seconds) },
];

type StrengthSet = ActivityWithParts["sets"][number];

const SET_COLUMNS: readonly Column<StrengthSet>[] = [
  { name: "Set", isNumber: true, of: (set) => number(set.set_index + 1) },
  { name: "Type", of: (set) => spaced(set.type) },
  { name: "Exercise", of: ({ exercise }) => spaced(exercise?.name ?? exercise?.category ?? null) },
  { name: "Repetitions", isNumber: true, of: (set) => number(set.repetitions) },
  { name: "Weight", isNumber: true, of: (set) => number(set.weight_in_kilograms, 1, "kg") },
  { name: "Time", isNumber: true, of: (set) => duration(set.duration_in_seconds) },
];

export function Sets({ sets }: { sets: ActivityWithParts["sets"] }) {
  if (sets.length === 0) return null;
  return (
    <section>
      <h2>Strength sets</h2>
      <ColumnTable label="Strength sets" rows={sets} columns={SET_COLUMNS} />
    </section>
  );
}

type DeveloperField = ActivityWithParts["developer_fields"][number];

const DEVELOPER_COLUMNS: readonly Column<DeveloperField>[] = [
  { name: "Field", of: ({ name }) => name },
  {
    name: "Value",
    of: ({ value }) => (Array.isArray(value) ? value.map((one) => one ?? NONE).join(", ") : `${value}`),
  },
  { name: "Unit", of: ({ units }) => units ?? NONE },
];

export function DeveloperFields({ fields }: { fields: ActivityWithParts["developer_fields"] }) {
  if (fields.length === 0) return null;
  return (
    <section>
      <h2>Developer fields</h2>
      <ColumnTable label="Developer fields" rows={fields} columns={DEVELOPER_COLUMNS} />
    </section>
  );
}
