import lookUp from "@photostructure/tz-lookup";
import type { OffsetSource } from "./summaryFields.ts";
import { rounded } from "./values.ts";

/** A start, and what the file says about the place and the clock. */
export interface LocalTimeEvidence {
  /** Unix seconds. */
  readonly start: number | null;
  /** Offset that the device states, and the Unix seconds for which it does. */
  readonly device: { readonly offset: number; readonly at: number } | null;
  /** In degrees. Null when unknown, or when the athlete was not there. */
  readonly position: readonly [latitude: number, longitude: number] | null;
}

export interface LocalTime {
  utc_offset_in_seconds: number | null;
  offset_source: OffsetSource | null;
  time_zone: string | null;
  local_date: string | null;
}

/**
 * Returns the local time of an activity. The device's offset has priority. A time zone that contradicts it, at the
 * time for which the device states it, is not given.
 */
export function localTimeOf({ start, device, position }: LocalTimeEvidence): LocalTime {
  const zone = position === null ? null : zoneAt(...position);
  if (device !== null) {
    const isSame = zone !== null && offsetIn(zone, device.at) === device.offset;
    return {
      utc_offset_in_seconds: device.offset,
      offset_source: "device",
      time_zone: isSame ? zone : null,
      local_date: localDateOf(start, device.offset),
    };
  }
  const offset = zone === null || start === null ? null : offsetIn(zone, start);
  return {
    utc_offset_in_seconds: offset,
    offset_source: offset === null ? null : "position",
    time_zone: offset === null ? null : zone,
    local_date: localDateOf(start, offset),
  };
}

/** Returns the date of a time at an offset, as YYYY-MM-DD. */
export function localDateOf(seconds: number | null, offset: number | null): string | null {
  return seconds === null || offset === null
    ? null
    : new Date((seconds + offset) * 1000).toISOString().slice(0, 10);
}

/** Returns the IANA time zone at a position: at sea `Etc/GMT` with an offset, whose sign is reversed. */
function zoneAt(latitude: number, longitude: number): string | null {
  const isPosition = Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180;
  return isPosition ? lookUp(latitude, longitude) : null;
}

/** By zone, so at most as many as there are zones. Null for a zone that the runtime does not know. */
const formats = new Map<string, Intl.DateTimeFormat | null>();

function formatOf(zone: string): Intl.DateTimeFormat | null {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  let format: Intl.DateTimeFormat | null = null;
  try {
    format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
  } catch {
    // A newer zone than the runtime's tables.
  }
  formats.set(zone, format);
  return format;
}

/** Returns the offset of a zone from UTC at a time, from the runtime's time zone tables. */
function offsetIn(zone: string, seconds: number): number | null {
  const format = formatOf(zone);
  const parts = format?.formatToParts(seconds * 1000) ?? [];
  const name = parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
  const [found, sign, hours, minutes] = /^GMT(?:([+-])(\d{2}):(\d{2}))?/.exec(name) ?? [];
  if (found === undefined) return null;
  const size = Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60;
  return rounded(sign === "-" ? -size : size, 0);
}
