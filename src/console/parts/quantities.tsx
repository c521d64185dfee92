import type { ActivityWithParts } from "../../activities/activity.ts";
import { duration, kilometers, kilometersPerHour, number, spaced, NONE } from "../format.ts";
import { ColumnTable, type Column } from "./columns.tsx";
import { Table } from "./list.tsx";
import { Facts } from "./page.tsx";

/** Numbers of an activity, imported or inspected. */
type Quantities = Omit<
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

export function Totals({ activity }: { activity: Quantities }) {
  const all = [
    ["Distance", kilometers(activity.distance_in_meters)],
    ["Timer time", duration(activity.timer_time_in_seconds)],
    ["Elapsed time", duration(activity.elapsed_time_in_seconds)],
    ["Moving time", duration(activity.moving_time_in_seconds)],
    ["Average speed", kilometersPerHour(activity.average_speed_in_meters_per_second)],
    ["Max speed", kilometersPerHour(activity.max_speed_in_meters_per_second)],
    ["Average heart rate", number(activity.average_heart_rate_in_beats_per_minute, 0, "bpm")],
    ["Max heart rate", number(activity.max_heart_rate_in_beats_per_minute, 0, "bpm")],
    ["Average power", number(activity.average_power_in_watts, 0, "W")],
    ["Normalized power", number(activity.normalized_power_in_watts, 0, "W")],
    ["Max power", number(activity.max_power_in_watts, 0, "W")],
    ["Work", number(activity.work_in_kilojoules, 0, "kJ")],
    ["Average cadence", number(activity.average_cadence_in_cycles_per_minute, 0, "/min")],
    ["Ascent", number(activity.ascent_in_meters, 0, "m")],
    ["Descent", number(activity.descent_in_meters, 0, "m")],
    ["Energy", number(activity.energy_in_kilocalories, 0, "kcal")],
    ["Average temperature", number(activity.average_temperature_in_celsius, 0, "°C")],
    ["Pool length", number(activity.pool_length_in_meters, 0, "m")],
    ["Active lengths", number(activity.number_of_active_lengths)],
    ["Average SWOLF", number(activity.average_swolf)],
    ["Min heart rate", number(activity.min_heart_rate_in_beats_per_minute, 0, "bpm")],
    ["Recovery heart rate", number(activity.recovery_heart_rate_in_beats_per_minute, 0, "bpm")],
    ["Average respiration rate", number(activity.average_respiration_rate_in_breaths_per_minute, 0, "/min")],
    ["Max temperature", number(activity.max_temperature_in_celsius, 0, "°C")],
    ["Lowest altitude", number(activity.min_altitude_in_meters, 0, "m")],
    ["Highest altitude", number(activity.max_altitude_in_meters, 0, "m")],
    ["Cycles", number(activity.total_cycles)],
    ["Training load", number(activity.training_load_peak, 0)],
    ["Perceived exertion", number(activity.perceived_exertion, 0)],
    ["Feel", number(activity.feel)],
    ["Profile", activity.profile_name ?? NONE],
    ["Workout", activity.workout_name ?? NONE],
  ] as const;
  return <Facts facts={all.filter(([, value]) => value !== NONE)} />;
}

type Lap = ActivityWithParts["laps"][number];

const LAP_COLUMNS: readonly Column<Lap>[] = [
  { name: "Lap", isNumber: true, of: (lap) => number(lap.lap_index + 1) },
  {
    name: "Time",
    isNumber: true,
    of: (lap) => duration(lap.timer_time_in_seconds ?? lap.elapsed_time_in_seconds),
  },
  { name: "Distance", isNumber: true, of: (lap) => kilometers(lap.distance_in_meters) },
  { name: "Speed", isNumber: true, of: (lap) => kilometersPerHour(lap.average_speed_in_meters_per_second) },
  {
    name: "Heart rate",
    isNumber: true,
    of: (lap) => number(lap.average_heart_rate_in_beats_per_minute, 0, "bpm"),
  },
  { name: "Power", isNumber: true, of: (lap) => number(lap.average_power_in_watts, 0, "W") },
  { name: "Ascent", isNumber: true, of: (lap) => number(lap.ascent_in_meters, 0, "m") },
  { name: "Stroke", of: (lap) => spaced(lap.stroke) },
  { name: "Strokes", isNumber: true, of: (lap) => number(lap.strokes) },
  { name: "SWOLF", isNumber: true, of: (lap) => number(lap.average_swolf) },
  { name: "Active lengths", isNumber: true, of: (lap) => number(lap.number_of_active_lengths) },
  { name: "Intensity", of: (lap) => spaced(lap.intensity) },
  {
    name: "Workout step",
    isNumber: true,
    of: ({ workout_step_index: step }) => number(step === null ? null : step + 1),
  },
  { name: "Ended by", of: (lap) => spaced(lap.trigger) },
];

export function Laps({ laps }: { laps: ActivityWithParts["laps"] }) {
  if (laps.length === 0) return null;
  return (
    <section>
      <h2>Laps</h2>
      <ColumnTable label="Laps" rows={laps} columns={LAP_COLUMNS} />
    </section>
  );
}

type Length = ActivityWithParts["lengths"][number];

const LENGTH_COLUMNS: readonly Column<Length>[] = [
  { name: "Length", isNumber: true, of: (length) => number(length.length_index + 1) },
  {
    name: "Lap",
    isNumber: true,
    of: ({ lap_index: lap }) => number(lap === null ? null : lap + 1),
  },
  { name: "Type", of: (length) => spaced(length.type) },
  { name: "Stroke", of: (length) => spaced(length.stroke) },
  { name: "Strokes", isNumber: true, of: (length) => number(length.strokes) },
  { name: "Time", isNumber: true, of: (length) => number(length.elapsed_time_in_seconds, 1, "s") },
  {
    name: "Speed",
    isNumber: true,
    of: (length) => kilometersPerHour(length.average_speed_in_meters_per_second),
  },
  {
    name: "Cadence",
    isNumber: true,
    of: (length) => number(length.average_cadence_in_cycles_per_minute, 0, "/min"),
  },
];

export function Lengths({ lengths }: { lengths: ActivityWithParts["lengths"] }) {
  if (lengths.length === 0) return null;
  return (
    <section>
      <h2>Lengths</h2>
      <ColumnTable label="Lengths" rows={lengths} columns={LENGTH_COLUMNS} />
    </section>
  );
}

export function Devices({ devices }: { devices: ActivityWithParts["devices"] }) {
  if (devices.length === 0) return null;
  return (
    <section>
      <h2>Devices</h2>
      <Table
        label="Devices"
        head={["Type", "Manufacturer", "Product", ["Serial number", "number"], "Battery"]}
      >
        {devices.map((device, index) => (
          <tr key={index}>
            <td>{spaced(device.device_type)}</td>
            <td>{spaced(device.manufacturer)}</td>
            <td>{device.product ?? NONE}</td>
            <td class="number">{device.serial_number ?? NONE}</td>
            <td>
              {device.battery_level_in_percent === null
                ? spaced(device.battery_status)
                : number(device.battery_level_in_percent, 0, "%")}
            </td>
          </tr>
        ))}
      </Table>
    </section>
  );
}

export function Derived({ derived }: { derived: ActivityWithParts["derived"] }) {
  return (
    <>
      <h2>Computed values</h2>
      {derived.length === 0 ? (
        <p class="soft">None. The file contains all values above.</p>
      ) : (
        <>
          <p class="soft">The file does not contain these values. We computed them from its other values.</p>
          <ul class="ids">
            {derived.map((name) => (
              <li key={name}>{spaced(name)}</li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}
