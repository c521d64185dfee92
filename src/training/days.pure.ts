const SECONDS_PER_DAY = 86_400;
/** 1970-01-05 was a Monday. */
const FIRST_MONDAY = 4;

/** Returns the number of the day since 1970 of a time at an offset from UTC. */
export function dayOf(unixSeconds: number, offsetInSeconds: number): number {
  return Math.floor((unixSeconds + offsetInSeconds) / SECONDS_PER_DAY);
}

/** Returns the Monday of the day's week. */
export function firstDayOfWeek(day: number): number {
  return day - ((((day - FIRST_MONDAY) % 7) + 7) % 7);
}
