import type { ActivityWithParts } from "../../activities/activity.ts";
import { number, spaced, NONE } from "../format.ts";
import { Folded } from "./activity/folded.tsx";
import { ColumnTable, type Column } from "./columns.tsx";

type Device = ActivityWithParts["devices"][number];

const DEVICE_COLUMNS: readonly Column<Device>[] = [
  { name: "Type", of: (device) => spaced(device.device_type) },
  { name: "Manufacturer", of: (device) => spaced(device.manufacturer) },
  { name: "Product", of: (device) => spaced(device.product) },
  { name: "Serial number", isNumber: true, of: (device) => String(device.serial_number ?? NONE) },
  {
    name: "Battery",
    of: (device) =>
      device.battery_level_in_percent === null
        ? spaced(device.battery_status)
        : number(device.battery_level_in_percent, 0, "%"),
  },
];

export function Devices({ devices }: { devices: ActivityWithParts["devices"] }) {
  if (devices.length === 0) return null;
  return (
    <section>
      <h2>Devices</h2>
      <Folded rows={devices.length} noun="devices">
        <ColumnTable label="Devices" rows={devices} columns={DEVICE_COLUMNS} />
      </Folded>
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
