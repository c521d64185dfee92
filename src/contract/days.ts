import { DAY_MS } from "./limits.ts";

/** Returns the number of the UTC day since 1970. */
export function dayOf(unixMs: number): number {
  return Math.floor(unixMs / DAY_MS);
}

/** Returns a day since 1970 as `2026-11-25`. */
export function dateOf(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}
