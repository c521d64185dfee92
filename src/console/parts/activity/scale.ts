import { number } from "../../format.ts";

/** Numbers that people read on axes and scales. */

/** Increments of time axes, in seconds. */
export const TIME_STEPS = [
  1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800,
  604_800,
];

const HOUR = 3600;

const two = (value: number) => String(Math.floor(value)).padStart(2, "0");

/** Returns a time on an axis: `0:15` for 15 minutes where the axis is `inHours`, else for 15 seconds. */
export function timeTick(seconds: number, inHours: boolean): string {
  const minutes = Math.floor(seconds / 60);
  return inHours
    ? `${Math.floor(seconds / HOUR)}:${two((seconds % HOUR) / 60)}`
    : `${minutes}:${two(seconds % 60)}`;
}

/** Returns a tick with as many decimals as tell it from its neighbors. */
export function plainTick(tick: number, ticks: readonly number[]): string {
  const step = (ticks[1] ?? tick + 1) - (ticks[0] ?? tick);
  return number(tick, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)));
}

/** Returns the largest of 1, 2 or 5 times a power of ten that is at most `most`. */
export function niceBelow(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most));
  return ([5, 2, 1].find((factor) => factor * power <= most) ?? 1) * power;
}

/** Returns the smallest of 1, 2 or 5 times a power of ten that is at least `least`. */
export function niceAbove(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5].find((factor) => factor * power >= least * (1 - 1e-9)) ?? 10) * power;
}

/** Paces between which the ticks of an axis are rounded, in seconds. */
const PACE_STEPS = [5, 10, 15, 30, 60, 120, 300, 600];
/** Number of intervals between ticks. */
const TICKS = 4;

/**
 * Returns ticks between two values. Those of a pace are speeds whose paces are round: an even distance on the axis is an
 * uneven difference in pace.
 */
export function ticksBetween(low: number, high: number, paceMeters: number | null): number[] {
  if (!(high > low)) return [low];
  if (paceMeters === null) {
    const step = niceAbove((high - low) / TICKS);
    const ticks: number[] = [];
    for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-6; tick += step) ticks.push(tick);
    return ticks;
  }
  const ticks: number[] = [];
  for (let part = 0; part <= TICKS; part++) {
    const wanted = low + ((high - low) * part) / TICKS;
    if (wanted <= 0) continue;
    const pace = paceMeters / wanted;
    const next = paceMeters / (wanted + (high - low) / TICKS);
    const step = PACE_STEPS.findLast((seconds) => seconds <= (pace - next) / 2) ?? PACE_STEPS[0] ?? 5;
    const tick = paceMeters / (Math.round(pace / step) * step);
    if (tick >= low && tick <= high && tick - (ticks.at(-1) ?? -Infinity) > (high - low) / (2 * TICKS)) {
      ticks.push(tick);
    }
  }
  return ticks;
}
