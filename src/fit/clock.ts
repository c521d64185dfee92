import type { ACTIVITY, SESSION, Values } from "./profile.ts";

/** Unix seconds of FIT second 0, 1989-12-31T00:00:00Z. */
export const FIT_EPOCH = 631_065_600;
/** Smaller timestamps count seconds since power-on, because the device's clock was not set. */
const FIRST_ABSOLUTE_TIME = 0x10000000;

const QUARTER_HOUR = 900;
/** Some devices write `local_timestamp` and `timestamp` of slightly different moments. */
const OFFSET_DRIFT_SECONDS = 60;
const SMALLEST_OFFSET = -12 * 3600;
const LARGEST_OFFSET = 14 * 3600;

/** FIT timestamps of a chained file's records; -1 when no record has one. */
export interface RecordTimes {
  firstSystemTime: number;
  /** Last timestamp before the clock was set. */
  lastSystemTime: number;
  firstAbsoluteTime: number;
}

export function isSystemTime(timestamp: number): boolean {
  return timestamp < FIRST_ABSOLUTE_TIME;
}

/** Returns whether a start is in seconds since power-on although every record has a date. Such a start is invalid. */
export function isMisplaced(start: number, records: RecordTimes): boolean {
  return isSystemTime(start) && records.firstAbsoluteTime >= 0 && records.firstSystemTime < 0;
}

/** Converts all timestamps of a chained file to one timeline of FIT seconds, including seconds since power-on. */
export interface Clock {
  /** Whether some timestamp counts seconds since power-on. */
  readonly isUnset: boolean;
  /** Returns a timestamp on the timeline. */
  place(timestamp: number): number;
  /** Returns a time of the timeline in Unix seconds; null when the time of power-on is unknown. */
  unix(placed: number): number | null;
}

/**
 * Returns the clock of a chained file. The time of power-on follows from the first of these that exists: a session's
 * start that has a date, the first record after the clock was set, the activity's local time (read as UTC because its
 * offset is unknown), the caller's fallback. Without any of them only times since the start are known.
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

/**
 * Returns local time minus UTC from the activity message, and the Unix seconds of that message. Null unless it is a valid
 * time zone offset.
 */
export function utcOffsetOf({
  timestamp,
  local_timestamp,
}: Values<typeof ACTIVITY>): { offset: number; at: number } | null {
  if (!isAbsolute(timestamp) || !isAbsolute(local_timestamp)) return null;
  const difference = local_timestamp - timestamp;
  const offset = Math.round(difference / QUARTER_HOUR) * QUARTER_HOUR;
  const isOffset =
    Math.abs(difference - offset) <= OFFSET_DRIFT_SECONDS &&
    offset >= SMALLEST_OFFSET &&
    offset <= LARGEST_OFFSET;
  // "+ 0" turns -0, a result of rounding, into 0.
  return isOffset ? { offset: offset + 0, at: timestamp + FIT_EPOCH } : null;
}
