/** Days in UTC, as `2026-11-29`. Filters and calendars count days in UTC, as the overview does. */

import { DAY_MS } from "../contract/limits.ts";

const DAY = /^\d{4}-\d\d-\d\d$/;

/** Returns the start of a day, or null for a text that is no day. */
function startOf(day: string): Date | null {
  const at = DAY.test(day) ? new Date(`${day}T00:00:00Z`) : null;
  return at === null || Number.isNaN(at.getTime()) ? null : at;
}

/** Returns the time from the start of one day to the end of another. Null where the text is no day. */
export function dayRange(from: string, to: string): { start: Date | null; end: Date | null } {
  const last = startOf(to);
  return { start: startOf(from), end: last === null ? null : new Date(last.getTime() + DAY_MS) };
}

export function dayOf(at: Date): string {
  return at.toISOString().slice(0, 10);
}

/** Returns the days of a month (`2026-11`) and its neighbors. `before` is the number of days of its first week before it. */
export function monthOf(month: string): {
  title: string;
  before: number;
  days: string[];
  previous: string;
  next: string;
} {
  const first = startOf(`${month}-01`) ?? new Date();
  const [year, index] = [first.getUTCFullYear(), first.getUTCMonth()];
  const count = new Date(Date.UTC(year, index + 1, 0)).getUTCDate();
  const monthAt = (offset: number) => dayOf(new Date(Date.UTC(year, index + offset, 1))).slice(0, 7);
  return {
    title: first.toLocaleDateString(undefined, { month: "long", year: "numeric", timeZone: "UTC" }),
    before: (new Date(Date.UTC(year, index, 1)).getUTCDay() + 6) % 7,
    days: Array.from({ length: count }, (_, day) => dayOf(new Date(Date.UTC(year, index, day + 1)))),
    previous: monthAt(-1),
    next: monthAt(1),
  };
}
