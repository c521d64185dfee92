import type { ActivityWithParts } from "../../activities/activity.ts";
import { duration, NONE, number, spaced } from "../format.ts";
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
