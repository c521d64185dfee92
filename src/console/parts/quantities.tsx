import type { ActivityWithParts } from "../../activities/activity.ts";
import { duration, kilometers, kilometersAnHour, number, spaced, NONE } from "../format.ts";
import { Table } from "./list.tsx";
import { Facts } from "./page.tsx";

/** What an activity is in numbers; both for one that was imported and one that is tried out. */
type Quantities = Omit<
  ActivityWithParts,
  | "activity_id"
  | "file_id"
  | "user_id"
  | "source"
  | "summary_id"
  | "activity_name"
  | "possible_duplicate_of"
  | "version"
  | "created_at"
  | "updated_at"
>;

export function Totals({ of }: { of: Quantities }) {
  const all = [
    ["Distance", kilometers(of.distance_in_meters)],
    ["Timer", duration(of.timer_time_in_seconds)],
    ["Elapsed", duration(of.elapsed_time_in_seconds)],
    ["Moving", duration(of.moving_time_in_seconds)],
    ["Speed", kilometersAnHour(of.average_speed_in_meters_per_second)],
    ["Top speed", kilometersAnHour(of.max_speed_in_meters_per_second)],
    ["Heart rate", number(of.average_heart_rate_in_beats_per_minute, 0, "bpm")],
    ["Highest", number(of.max_heart_rate_in_beats_per_minute, 0, "bpm")],
    ["Power", number(of.average_power_in_watts, 0, "W")],
    ["Normalized", number(of.normalized_power_in_watts, 0, "W")],
    ["Highest power", number(of.max_power_in_watts, 0, "W")],
    ["Work", number(of.work_in_kilojoules, 0, "kJ")],
    ["Cadence", number(of.average_cadence_in_cycles_per_minute, 0, "/min")],
    ["Ascent", number(of.ascent_in_meters, 0, "m")],
    ["Descent", number(of.descent_in_meters, 0, "m")],
    ["Energy", number(of.energy_in_kilocalories, 0, "kcal")],
    ["Temperature", number(of.average_temperature_in_celsius, 0, "°C")],
    ["Pool", number(of.pool_length_in_meters, 0, "m")],
    ["Lengths", number(of.number_of_active_lengths)],
  ] as const;
  return <Facts of={all.filter(([, value]) => value !== NONE)} />;
}

export function Laps({ of }: { of: ActivityWithParts["laps"] }) {
  if (of.length === 0) return null;
  return (
    <section>
      <h2>Laps</h2>
      <Table
        label="Laps"
        head={[
          ["Lap", "number"],
          ["Time", "number"],
          ["Distance", "number"],
          ["Speed", "number"],
          ["Heart rate", "number"],
          ["Power", "number"],
          ["Ascent", "number"],
          "Ended by",
        ]}
      >
        {of.map((lap) => (
          <tr key={lap.lap_index}>
            <td class="number">{lap.lap_index + 1}</td>
            <td class="number">{duration(lap.timer_time_in_seconds ?? lap.elapsed_time_in_seconds)}</td>
            <td class="number">{kilometers(lap.distance_in_meters)}</td>
            <td class="number">{kilometersAnHour(lap.average_speed_in_meters_per_second)}</td>
            <td class="number">{number(lap.average_heart_rate_in_beats_per_minute, 0, "bpm")}</td>
            <td class="number">{number(lap.average_power_in_watts, 0, "W")}</td>
            <td class="number">{number(lap.ascent_in_meters, 0, "m")}</td>
            <td>{spaced(lap.trigger)}</td>
          </tr>
        ))}
      </Table>
    </section>
  );
}

export function Lengths({ of }: { of: ActivityWithParts["lengths"] }) {
  if (of.length === 0) return null;
  return (
    <section>
      <h2>Lengths</h2>
      <Table
        label="Lengths"
        head={[
          ["Length", "number"],
          ["Lap", "number"],
          "Type",
          "Stroke",
          ["Strokes", "number"],
          ["Time", "number"],
        ]}
      >
        {of.map((length) => (
          <tr key={length.length_index}>
            <td class="number">{length.length_index + 1}</td>
            <td class="number">{length.lap_index === null ? NONE : length.lap_index + 1}</td>
            <td>{spaced(length.type)}</td>
            <td>{spaced(length.stroke)}</td>
            <td class="number">{number(length.strokes)}</td>
            <td class="number">{number(length.elapsed_time_in_seconds, 1, "s")}</td>
          </tr>
        ))}
      </Table>
    </section>
  );
}

export function Derived({ of }: { of: Pick<ActivityWithParts, "derived"> }) {
  return (
    <>
      <h2>Computed by us</h2>
      {of.derived.length === 0 ? (
        <p class="soft">Nothing: every number above stands in the file.</p>
      ) : (
        <>
          <p class="soft">The file does not say these; they were computed from its records.</p>
          <ul class="ids">
            {of.derived.map((name) => (
              <li key={name}>{spaced(name)}</li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}
