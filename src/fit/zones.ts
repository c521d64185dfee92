import { listedName } from "./names.ts";
import {
  HR_ZONE_CALCULATIONS,
  LAP,
  MESSAGE_INDEX_MASK,
  POWER_ZONE_CALCULATIONS,
  type SESSION,
  type TIME_IN_ZONE,
  type Values,
} from "./profile.ts";
import type { ChainedFile, DeviceZones, ZoneBound } from "./firstPass.ts";
import type { TimeInZones, ZoneNumbers } from "./types.ts";
import { rounded } from "./values.ts";

type ZoneMessage = Values<typeof TIME_IN_ZONE>;
type Summary = Values<typeof SESSION> | Values<typeof LAP>;

/** More zones than devices have. It bounds the size of a response. */
const MAX_ZONES = 16;
const TIME_DECIMALS = 3;
const SPEED_DECIMALS = 3;

/** Returns a function that returns the merged `time_in_zone` messages of a session or lap message. */
export function zoneMessagesFinder({
  zones,
  sessions,
  laps,
}: Pick<ChainedFile, "zones" | "sessions" | "laps">): (summary: Summary) => ZoneMessage {
  const found = new Map<Summary, ZoneMessage>();
  const sessionAt = byMessageIndex(sessions);
  const lapAt = byMessageIndex(laps);
  for (const message of zones) {
    const { reference_mesg: about, reference_index: index } = message;
    // Without a reference the message is about the only session.
    const isUnclear = index === undefined && sessions.length > 1;
    const at = about === LAP.number ? lapAt : sessionAt;
    const summary = isUnclear ? undefined : at((index ?? 0) & MESSAGE_INDEX_MASK);
    if (summary !== undefined) found.set(summary, { ...message, ...found.get(summary) });
  }
  return (summary) => found.get(summary) ?? {};
}

/** Finds messages by their index. Some devices write the same index in all; then their position counts. */
function byMessageIndex<T extends Summary>(messages: readonly T[]): (index: number) => T | undefined {
  const byIndex = new Map(
    messages.flatMap((message) => {
      const { message_index: index } = message;
      return index === undefined ? [] : [[index & MESSAGE_INDEX_MASK, message] as const];
    }),
  );
  return byIndex.size === messages.length ? (index) => byIndex.get(index) : (index) => messages[index];
}

/** Returns the time in zones of a session or lap. `message` has priority over its own fields. Null when neither has any. */
export function timeInZonesOf(
  summary: Summary,
  message: ZoneMessage,
  device: DeviceZones,
): TimeInZones | null {
  const heartRate = zonesOf(
    [message.time_in_hr_zone, summary.time_in_hr_zone],
    message.hr_zone_high_boundary,
    device.heartRate,
    0,
  );
  const power = zonesOf(
    [message.time_in_power_zone, summary.time_in_power_zone],
    message.power_zone_high_boundary,
    device.power,
    0,
  );
  const speed = zonesOf(
    [message.time_in_speed_zone, summary.time_in_speed_zone],
    message.speed_zone_high_boundary,
    device.speed,
    SPEED_DECIMALS,
  );
  const cadence = zonesOf(
    [message.time_in_cadence_zone, summary.time_in_cadence_zone],
    message.cadence_zone_high_boundary,
    device.cadence,
    0,
  );
  if (heartRate === null && power === null && speed === null && cadence === null) return null;
  return {
    heart_rate: heartRate && {
      calculation: listedName(HR_ZONE_CALCULATIONS, message.hr_calc_type),
      time_in_seconds: heartRate.times,
      upper_bounds_in_beats_per_minute: heartRate.bounds,
    },
    power: power && {
      calculation: listedName(POWER_ZONE_CALCULATIONS, message.pwr_calc_type),
      time_in_seconds: power.times,
      upper_bounds_in_watts: power.bounds,
    },
    speed: speed && { time_in_seconds: speed.times, upper_bounds_in_meters_per_second: speed.bounds },
    cadence: cadence && { time_in_seconds: cadence.times, upper_bounds_in_cycles_per_minute: cadence.bounds },
  };
}

function zonesOf(
  seconds: readonly (readonly number[] | undefined)[],
  recordedBounds: readonly number[] | undefined,
  device: readonly ZoneBound[],
  decimals: number,
): { times: ZoneNumbers | null; bounds: ZoneNumbers | null } | null {
  const times = seconds.map((one) => numbersOf(one, TIME_DECIMALS)).find((one) => one !== null) ?? null;
  const bounds = numbersOf(recordedBounds, decimals);
  if (times === null && bounds === null) return null;
  return { times, bounds: bounds ?? boundsOnDevice(device, times?.length ?? 0, decimals) };
}

/** Returns the device's bounds when they are as many as the zones, or one less: then the last zone has no upper bound. */
function boundsOnDevice(device: readonly ZoneBound[], zones: number, decimals: number): ZoneNumbers | null {
  const isWhole = device.length === zones || device.length === zones - 1;
  if (device.length === 0 || !isWhole) return null;
  const indexOf = ({ message_index: index = 0 }: ZoneBound) => index & MESSAGE_INDEX_MASK;
  const inOrder = device.toSorted((one, other) => indexOf(one) - indexOf(other));
  return numbersOf(
    inOrder.map(({ high }) => high ?? NaN),
    decimals,
  );
}

/** Returns the members up to the last valid one; null without any. */
function numbersOf(members: readonly number[] | undefined, decimals: number): ZoneNumbers | null {
  const last = members?.findLastIndex((member) => !Number.isNaN(member)) ?? -1;
  const valid = members?.slice(0, Math.min(last + 1, MAX_ZONES)) ?? [];
  return valid.length === 0 ? null : valid.map((member) => rounded(member, decimals));
}
