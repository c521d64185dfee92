/** Formats numbers and times for people. */

/** Shown in place of a null value. */
export const NONE = "–";

/** Returns an instant in the time zone of the browser. */
export function localTime(instant: string | null | undefined): string {
  if (instant == null) return NONE;
  return new Date(instant).toLocaleString(undefined, {
    day: "2-digit",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hour12: false,
  });
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** From this age on, a date says more than an age. */
const DATES_FROM = 7 * DAY;

/** Returns how far an instant is from now: `just now`, `4 min ago`, `in 3 h`, and the date of a distant one. */
export function relativeTime(instant: string): string {
  const from = Date.now() - Date.parse(instant);
  const distance = Math.abs(from);
  if (distance >= DATES_FROM) {
    return new Date(instant).toLocaleDateString(undefined, {
      day: "numeric",
      month: "short",
      year: "numeric",
    });
  }
  const said =
    distance < HOUR
      ? `${Math.max(1, Math.floor(distance / MINUTE))} min`
      : distance < 2 * DAY
        ? `${Math.floor(distance / HOUR)} h`
        : `${Math.floor(distance / DAY)} d`;
  if (from < 0)
    return distance < 1_000
      ? "now"
      : distance < MINUTE
        ? `in ${Math.ceil(distance / SECOND)} s`
        : `in ${said}`;
  return distance < MINUTE ? "just now" : `${said} ago`;
}

/** Returns an instant with its date and zone: `29 Nov 2026, 14:03:12 GMT+1`. */
export function exactTime(instant: string): string {
  return new Date(instant).toLocaleString(undefined, {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hour12: false,
    timeZoneName: "short",
  });
}

/** Returns the start of an activity in its local time, or in UTC when its offset is unknown. */
export function startTime(activity: {
  start_time_in_seconds: number | null;
  utc_offset_in_seconds: number | null;
}): string {
  const { start_time_in_seconds: start, utc_offset_in_seconds: offset } = activity;
  if (start === null) return NONE;
  const local = new Date((start + (offset ?? 0)) * 1000).toLocaleString(undefined, {
    day: "2-digit",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hour12: false,
    timeZone: "UTC",
  });
  return offset === null ? `${local} UTC` : local;
}

/** Returns the time since an instant: `4 min`, `3 h`, `12 d`. */
export function age(instant: string): string {
  const minutes = Math.max(0, (Date.now() - Date.parse(instant)) / 60_000);
  if (minutes < 1) return "less than a minute";
  if (minutes < 90) return `${Math.round(minutes)} min`;
  return minutes < 2_880 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1_440)} d`;
}

/** Returns a time between two instants: `240 ms`, `2.3 s`, `4 min 12 s`, `3 h 20 min`, `12 d 4 h`. */
export function span(milliseconds: number): string {
  if (milliseconds < SECOND) return `${milliseconds} ms`;
  if (milliseconds < MINUTE) return `${(milliseconds / SECOND).toFixed(1)} s`;
  for (const [unit, name, smaller, smallerName] of [
    [MINUTE, "min", SECOND, "s"],
    [HOUR, "h", MINUTE, "min"],
    [DAY, "d", HOUR, "h"],
  ] as const) {
    if (unit === DAY || milliseconds < unit * (unit === MINUTE ? 60 : 24)) {
      const rest = Math.floor((milliseconds % unit) / smaller);
      return `${Math.floor(milliseconds / unit)} ${name}${rest === 0 ? "" : ` ${rest} ${smallerName}`}`;
    }
  }
  return NONE;
}

export function duration(seconds: number | null): string {
  if (seconds === null) return NONE;
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Returns hours and minutes: `1:05`. */
export function hours(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}`;
}

export function number(value: number | null | undefined, digits = 0, unit = ""): string {
  if (value == null) return NONE;
  const text = value.toLocaleString(undefined, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    signDisplay: "negative",
  });
  return unit === "" ? text : `${text}\u00a0${unit}`;
}

/** Returns a count with its noun: `1 file`, `2 files`. `several` is the plural where it is irregular. */
export function counted(count: number, one: string, several = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : several}`;
}

export function kilometers(meters: number | null): string {
  return number(meters === null ? null : meters / 1000, 2, "km");
}

export function kilometersPerHour(metersPerSecond: number | null): string {
  return number(metersPerSecond === null ? null : metersPerSecond * 3.6, 1, "km/h");
}

export function bytes(count: number | null): string {
  if (count === null) return NONE;
  let amount = count;
  for (const unit of ["B", "KiB", "MiB"]) {
    if (amount < 1024) return number(amount, unit === "B" || amount >= 10 ? 0 : 1, unit);
    amount /= 1024;
  }
  return number(amount, amount >= 10 ? 0 : 1, "GiB");
}

/** Replaces underscores: `lap_swimming` → `lap swimming`. */
export function spaced(name: string | null): string {
  return name === null ? NONE : name.replaceAll("_", " ");
}

/** Capitalizes a name: `completed_with_failures` → `Completed with failures`. */
export function titled(name: string): string {
  return name.charAt(0).toUpperCase() + spaced(name).slice(1);
}
