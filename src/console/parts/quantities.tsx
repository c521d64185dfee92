import type { ActivityWithParts } from "../../activities/activity.ts";
import { duration, kilometers, kilometersPerHour, number, spaced, NONE } from "../format.ts";
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
  ] as const;
  return <Facts facts={all.filter(([, value]) => value !== NONE)} />;
}

export function Laps({ laps }: { laps: ActivityWithParts["laps"] }) {
  if (laps.length === 0) return null;
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
        {laps.map((lap) => (
          <tr key={lap.lap_index}>
            <td class="number">{lap.lap_index + 1}</td>
            <td class="number">{duration(lap.timer_time_in_seconds ?? lap.elapsed_time_in_seconds)}</td>
            <td class="number">{kilometers(lap.distance_in_meters)}</td>
            <td class="number">{kilometersPerHour(lap.average_speed_in_meters_per_second)}</td>
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

export function Lengths({ lengths }: { lengths: ActivityWithParts["lengths"] }) {
  if (lengths.length === 0) return null;
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
        {lengths.map((length) => (
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
