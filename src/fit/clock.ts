import type { ACTIVITY, SESSION, Values } from "./profile.ts";

/** Unix seconds of FIT second 0, 1989-12-31T00:00:00Z. */
const FIT_EPOCH = 631_065_600;
/** Timestamps below this count seconds since power-on: the device did not know the time. */
const FIRST_ABSOLUTE_TIME = 0x10000000;

const QUARTER_HOUR = 900;
/** `local_timestamp` and `timestamp` are taken a moment apart by some devices. */
const OFFSET_DRIFT_SECONDS = 60;
const SMALLEST_OFFSET = -12 * 3600;
const LARGEST_OFFSET = 14 * 3600;

/** FIT timestamps of a part's records. -1 when no record has one. */
export interface RecordTimes {
  firstSystemTime: number;
  /** The last one counted since power-on before the clock was set. */
  lastSystemTime: number;
  firstAbsoluteTime: number;
}

export function isSystemTime(timestamp: number): boolean {
  return timestamp < FIRST_ABSOLUTE_TIME;
}

/** A start in seconds since power-on among records that all know the date was never written. */
export function isMisplaced(start: number, records: RecordTimes): boolean {
  return isSystemTime(start) && records.firstAbsoluteTime >= 0 && records.firstSystemTime < 0;
}

/** One timeline for all timestamps of a part: FIT seconds once the time since power-on is placed on it. */
export interface Clock {
  /** Something in the part is timed in seconds since power-on. */
  readonly isUnset: boolean;
  /** A time on the part's timeline. */
  place(timestamp: number): number;
  /** A placed time as Unix seconds; null when nothing tells when the device was switched on. */
  unix(placed: number): number | null;
}

/**
 * Seconds since power-on are placed by, in this order: a session's start that is absolute, the first record
 * after the clock was set, the activity's local time (taken as UTC: its offset is unknown), the caller's
 * fallback. Without any of them only times relative to the start are known.
 */
export function clockOf(
  sessions: readonly Values<typeof SESSION>[],
  records: RecordTimes,
  activity: Values<typeof ACTIVITY>,
  fallbackStartInSeconds: number | null,
): Clock {
  const starts = sessions.flatMap(({ start_time }) =>
    start_time === undefined || isMisplaced(start_time, records) ? [] : [start_time],
  );
  const systemStart = starts.find(isSystemTime);
  const absoluteStart = starts.find((start) => !isSystemTime(start));
  const firstSystem = systemStart ?? (records.firstSystemTime >= 0 ? records.firstSystemTime : undefined);
  const { timestamp, local_timestamp } = activity;

  let poweredOnAt: number | null = null;
  if (firstSystem !== undefined) {
    if (absoluteStart !== undefined) poweredOnAt = absoluteStart - firstSystem;
    else if (records.firstAbsoluteTime >= 0 && records.lastSystemTime >= 0) {
      poweredOnAt = records.firstAbsoluteTime - records.lastSystemTime;
    } else if (isAbsolute(local_timestamp) && timestamp !== undefined && isSystemTime(timestamp)) {
      poweredOnAt = local_timestamp - timestamp;
    } else if (fallbackStartInSeconds !== null) {
      poweredOnAt = fallbackStartInSeconds - FIT_EPOCH - firstSystem;
    }
  }
  return {
    isUnset: firstSystem !== undefined,
    place: (timestamp) => (isSystemTime(timestamp) ? timestamp + (poweredOnAt ?? 0) : timestamp),
    unix: (placed) =>
      !Number.isNaN(placed) && (poweredOnAt !== null || !isSystemTime(placed))
        ? Math.round(placed) + FIT_EPOCH
        : null,
  };
}

function isAbsolute(timestamp: number | undefined): timestamp is number {
  return timestamp !== undefined && !isSystemTime(timestamp);
}

/** Local time minus UTC as the activity message tells it; null unless it is a time zone's offset. */
export function utcOffsetOf({ timestamp, local_timestamp }: Values<typeof ACTIVITY>): number | null {
  if (!isAbsolute(timestamp) || !isAbsolute(local_timestamp)) return null;
  const difference = local_timestamp - timestamp;
  const offset = Math.round(difference / QUARTER_HOUR) * QUARTER_HOUR;
  const isOffset =
    Math.abs(difference - offset) <= OFFSET_DRIFT_SECONDS &&
    offset >= SMALLEST_OFFSET &&
    offset <= LARGEST_OFFSET;
  // "+ 0" turns the -0 that rounding gives into 0.
  return isOffset ? offset + 0 : null;
}
