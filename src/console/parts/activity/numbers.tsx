import type { ActivityWithParts } from "../../../activities/activity.ts";
import { duration, NONE, number, spaced } from "../../format.ts";
import { cadence, distance, poolLength, speed, speedUnit } from "../../units.ts";
import { Facts } from "../page.tsx";

/** Numbers of an activity, imported or inspected. */
export type Quantities = Omit<
  ActivityWithParts,
  | "activity_id"
  | "file_id"
  | "user_id"
  | "source"
  | "summary_id"
  | "activity_name"
  | "exclude_from_training"
  | "edited"
  | "duplicate_group"
  | "is_canonical"
  | "possible_duplicate_of"
  | "version"
  | "created_at"
  | "updated_at"
>;

type Fact = readonly [name: string, value: string];

/** Number of facts that are shown large. */
const LARGE = 5;

/** A value of zero says that the device had no sensor. */
const some = (value: number | null | undefined) => (value === 0 ? null : (value ?? null));

function speedFacts(activity: Quantities): Fact[] {
  const { sport } = activity;
  const { name } = speedUnit(sport);
  return [
    [`Average ${name.toLowerCase()}`, speed(some(activity.average_speed_in_meters_per_second), sport)],
    [
      name === "Pace" ? "Best pace" : "Max speed",
      speed(some(activity.max_speed_in_meters_per_second), sport),
    ],
  ];
}

function cadenceFacts(activity: Quantities): Fact[] {
  const { sport } = activity;
  const steps = some(activity.average_steps_per_minute);
  return [
    [
      "Average cadence",
      steps === null
        ? cadence(some(activity.average_cadence_in_cycles_per_minute), sport)
        : number(steps, 0, "spm"),
    ],
    ["Max cadence", cadence(some(activity.max_cadence_in_cycles_per_minute), sport)],
    ["Cycles", number(some(activity.total_cycles))],
  ];
}

interface Group {
  name: string;
  facts: readonly Fact[];
}

function groupsOf(activity: Quantities): Group[] {
  const isPool = activity.pool_length_in_meters !== null;
  const groups: Group[] = [
    {
      name: "Time and distance",
      facts: [
        ["Distance", distance(some(activity.distance_in_meters), isPool)],
        ["Time", duration(activity.timer_time_in_seconds ?? activity.elapsed_time_in_seconds)],
        ["Elapsed time", duration(activity.elapsed_time_in_seconds)],
        ["Moving time", duration(some(activity.moving_time_in_seconds))],
      ],
    },
    { name: "Speed", facts: [...speedFacts(activity), ...cadenceFacts(activity)] },
    {
      name: "Heart",
      facts: [
        ["Average heart rate", number(some(activity.average_heart_rate_in_beats_per_minute), 0, "bpm")],
        ["Max heart rate", number(some(activity.max_heart_rate_in_beats_per_minute), 0, "bpm")],
        ["Min heart rate", number(some(activity.min_heart_rate_in_beats_per_minute), 0, "bpm")],
        ["Recovery heart rate", number(some(activity.recovery_heart_rate_in_beats_per_minute), 0, "bpm")],
        [
          "Average respiration rate",
          number(some(activity.average_respiration_rate_in_breaths_per_minute), 0, "/min"),
        ],
      ],
    },
    {
      name: "Power",
      facts: [
        ["Average power", number(some(activity.average_power_in_watts), 0, "W")],
        ["Normalized power", number(some(activity.normalized_power_in_watts), 0, "W")],
        ["Max power", number(some(activity.max_power_in_watts), 0, "W")],
        ["Work", number(some(activity.work_in_kilojoules), 0, "kJ")],
      ],
    },
    {
      name: "Climbing",
      facts: [
        ["Ascent", number(some(activity.ascent_in_meters), 0, "m")],
        ["Descent", number(some(activity.descent_in_meters), 0, "m")],
        ["Lowest altitude", number(activity.min_altitude_in_meters, 0, "m")],
        ["Highest altitude", number(activity.max_altitude_in_meters, 0, "m")],
      ],
    },
    {
      name: "Pool",
      facts: [
        ["Pool length", poolLength(activity.pool_length_in_meters)],
        ["Active lengths", number(some(activity.number_of_active_lengths))],
        ["Average SWOLF", number(some(activity.average_swolf))],
      ],
    },
    { name: "Body and weather", facts: bodyFacts(activity) },
  ];
  return groups
    .map(({ name, facts }) => ({ name, facts: facts.filter(([, value]) => value !== NONE) }))
    .filter(({ facts }) => facts.length > 0);
}

function loadOf({ training_load: load }: Quantities): string {
  return load === null ? NONE : `${number(load.value, 0)} (from ${spaced(load.basis)})`;
}

function bodyFacts(activity: Quantities): Fact[] {
  return [
    ["Energy", number(some(activity.energy_in_kilocalories), 0, "kcal")],
    ["Training load", loadOf(activity)],
    ["Training load by the device", number(some(activity.training_load_peak), 0)],
    ["Perceived exertion", number(activity.perceived_exertion, 0)],
    ["Feel", number(activity.feel)],
    ["Average temperature", number(activity.average_temperature_in_celsius, 0, "°C")],
    ["Max temperature", number(activity.max_temperature_in_celsius, 0, "°C")],
    ["Profile", activity.profile_name ?? NONE],
    ["Workout", activity.workout_name ?? NONE],
  ];
}

/** Facts in the order of their importance for a sport. The first that an activity has are shown large. */
function importance(activity: Quantities): readonly string[] {
  const { name } = speedUnit(activity.sport);
  const average = `Average ${name.toLowerCase()}`;
  const rest = ["Ascent", "Energy", "Average cadence", "Active lengths", "Max heart rate", "Elapsed time"];
  if (activity.sport === "swimming") {
    return ["Distance", "Time", average, "Average SWOLF", "Average heart rate", ...rest];
  }
  return name === "Pace"
    ? ["Distance", "Time", average, "Average heart rate", "Ascent", "Average power", ...rest]
    : ["Distance", "Time", "Average power", average, "Average heart rate", ...rest];
}

/** A number with its unit in small letters. */
function Amount({ text }: { text: string }) {
  const [amount = "", ...unit] = text.split("\u00a0");
  return (
    <>
      {amount}
      {unit.length > 0 && <small>{`\u00a0${unit.join("\u00a0")}`}</small>}
    </>
  );
}

/** Five large numbers, and the others folded in groups. */
export function Totals({ activity }: { activity: Quantities }) {
  const groups = groupsOf(activity);
  const all = new Map(groups.flatMap(({ facts }) => facts));
  const isElapsedTwice = all.get("Elapsed time") === all.get("Time");
  const large = [...new Set(importance(activity))]
    .filter((name) => all.has(name) && !(isElapsedTwice && name === "Elapsed time"))
    .slice(0, LARGE);
  return (
    <div class="totals">
      <dl class="large">
        {large.map((name) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <Amount text={all.get(name) ?? NONE} />
            </dd>
          </div>
        ))}
      </dl>
      <details>
        <summary>All numbers</summary>
        <div class="number-groups">
          {groups.map(({ name, facts }) => (
            <section key={name}>
              <h3>{name}</h3>
              <Facts facts={facts} />
            </section>
          ))}
        </div>
      </details>
    </div>
  );
}
