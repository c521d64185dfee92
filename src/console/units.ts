import { duration, NONE, number } from "./format.ts";

/** Units of speed, distance and cadence by sport. Every view formats these numbers with the functions of this file. */

interface SpeedUnit {
  /** Name of the quantity in titles. */
  name: "Speed" | "Pace";
  unit: string;
  /** Distance that a pace is the time for. Null for a speed in km/h. */
  paceMeters: number | null;
}

const SPEED: SpeedUnit = { name: "Speed", unit: "km/h", paceMeters: null };
const ON_FOOT: SpeedUnit = { name: "Pace", unit: "min/km", paceMeters: 1000 };
const SPEED_UNITS: Readonly<Record<string, SpeedUnit>> = {
  running: ON_FOOT,
  walking: ON_FOOT,
  hiking: ON_FOOT,
  swimming: { name: "Pace", unit: "min/100 m", paceMeters: 100 },
  rowing: { name: "Pace", unit: "min/500 m", paceMeters: 500 },
};

/** Cadence of these sports is shown in steps of both feet. */
const STEP_SPORTS: ReadonlySet<string> = new Set(["running", "walking", "hiking"]);
const CADENCE_UNITS: Readonly<Record<string, string>> = { cycling: "rpm", e_biking: "rpm" };

/** A slower pace is a stop: it is shown as no value. */
const SLOWEST_METERS_PER_SECOND = 0.2;

export function speedUnit(sport: string): SpeedUnit {
  return SPEED_UNITS[sport] ?? SPEED;
}

/** Factor from meters per second to the number on axes: km/h, or meters per second where a pace is shown. */
export function speedFactor(sport: string): number {
  return speedUnit(sport).paceMeters === null ? 3.6 : 1;
}

/** Returns a speed without its unit: `31.4` km/h, or `4:52` min/km. */
export function bareSpeed(metersPerSecond: number | null | undefined, sport: string): string {
  if (metersPerSecond == null) return NONE;
  const { paceMeters } = speedUnit(sport);
  if (paceMeters === null) return number(metersPerSecond * 3.6, 1);
  return metersPerSecond < SLOWEST_METERS_PER_SECOND ? NONE : duration(paceMeters / metersPerSecond);
}

/** Returns a speed in the unit of the sport: `31.4 km/h`, `4:52 min/km`, `1:44 min/100 m`. */
export function speed(metersPerSecond: number | null | undefined, sport: string): string {
  const text = bareSpeed(metersPerSecond, sport);
  return text === NONE ? NONE : `${text}\u00a0${speedUnit(sport).unit}`;
}

/** Returns a distance: in meters below 1 km and in pools, else in kilometers. */
export function distance(meters: number | null | undefined, isPool = false): string {
  if (meters == null) return NONE;
  return meters < 1000 || isPool ? number(meters, 0, "m") : number(meters / 1000, 2, "km");
}

const METERS_PER_YARD = 0.9144;

/** Returns the length of a pool, in yards where only those are round: `25 m`, `25 yd`. */
export function poolLength(meters: number | null): string {
  if (meters === null) return NONE;
  const yards = meters / METERS_PER_YARD;
  return Number.isInteger(meters) || Math.abs(yards - Math.round(yards)) > 0.02
    ? number(meters, Number.isInteger(meters) ? 0 : 2, "m")
    : number(Math.round(yards), 0, "yd");
}

/** Returns the factor from cycles per minute to the unit of the sport, and that unit. */
export function cadenceUnit(sport: string): { factor: number; unit: string } {
  return STEP_SPORTS.has(sport)
    ? { factor: 2, unit: "spm" }
    : { factor: 1, unit: CADENCE_UNITS[sport] ?? "/min" };
}

/** Returns a cadence in the unit of the sport: `88 rpm`, `172 spm`. */
export function cadence(cyclesPerMinute: number | null | undefined, sport: string): string {
  const { factor, unit } = cadenceUnit(sport);
  return number(cyclesPerMinute == null ? null : cyclesPerMinute * factor, 0, unit);
}
