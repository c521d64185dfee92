import { membershipsOf, type Recording } from "../activities/duplicates/groups.pure.ts";
import { trainingLoadOf, type LoadSources, type TrainingLoad } from "../fit/trainingLoad.ts";
import {
  AVERAGE_DAYS,
  BASELINE_DAYS,
  BASELINE_SPORTS,
  BASELINE_WEEKS,
  GAP_DAYS,
  type Baseline,
} from "./baseline.ts";
import { dateOf } from "../contract/days.ts";
import { dayOf, firstDayOfWeek } from "./days.pure.ts";
import { bestEffortsOf, thresholdEffortsOf, type EffortSources } from "./efforts.pure.ts";
import { fitnessOf } from "./fitness.pure.ts";
import { boundsOf, statedThresholdsOf, type Bounds } from "./thresholds.pure.ts";

/** The fields of an activity that a baseline needs. */
export interface TrainingRow extends LoadSources, EffortSources {
  /** Null without a start. */
  recording: Recording | null;
  activity_id: string;
  utc_offset_in_seconds: number | null;
  distance_in_meters: number | null;
  is_excluded: boolean;
}

/** Inputs of a baseline other than the activities. */
export interface BaselineOptions {
  user_id: string;
  nowMs: number;
  source_order: readonly string[];
  /** Activities that were not read, because the user has too many. */
  unread: Pick<Baseline["left_out"], "too_many" | "too_many_before" | "more">;
}

/** An activity that counts. */
export interface Counted extends TrainingRow {
  /** Number of the local day, since 1970. */
  day: number;
  start: number;
  has_local_date: boolean;
  /** Timer time, else elapsed time. */
  duration: number | null;
  load: TrainingLoad | null;
}

/** An activity may start this long after now, because clocks of devices differ. */
const CLOCK_TOLERANCE_SECONDS = 3_600;

/**
 * Returns the training of a user up to now. Depends only on the activities, not on their order. Of the recordings of one
 * ride, only the canonical one counts.
 */
export function baselineOf(rows: readonly TrainingRow[], options: BaselineOptions): Baseline {
  const nowSeconds = options.nowMs / 1_000;
  const { left_out, candidates } = selected(rows, options, nowSeconds);
  const bounds = boundsOf(candidates);
  const counted = candidates.map((activity) => ({
    ...activity,
    load: trainingLoadOf(activity, heartRatesOf(bounds)),
  }));
  const latest = counted.at(-1);
  const today = Math.max(
    dayOf(nowSeconds, offsetOf(counted)),
    counted.reduce((last, { day }) => Math.max(last, day), -Infinity),
  );
  const firstWeek = firstDayOfWeek(today) - 7 * (BASELINE_WEEKS - 1);
  const year = counted.filter(({ day }) => day >= firstWeek);
  const recent = counted.filter(({ day }) => day > today - BASELINE_DAYS);
  const fitness = fitnessOf(counted, today);
  return {
    user_id: options.user_id,
    as_of: dateOf(today),
    activities: counted.length,
    activities_with_local_date: counted.filter(({ has_local_date }) => has_local_date).length,
    first_date: counted[0] === undefined ? null : dateOf(Math.min(...counted.map(({ day }) => day))),
    last_date: latest === undefined ? null : dateOf(Math.max(...counted.map(({ day }) => day))),
    days_since_last_activity:
      latest === undefined ? null : today - Math.max(...counted.map(({ day }) => day)),
    weeks: weeksOf(year, firstWeek),
    days: { ...daysOf(recent, today - BASELINE_DAYS + 1), ...fitness.days },
    averages: AVERAGE_DAYS.map((days) => averageOf(counted, today, days)),
    fitness: { ...fitness.now, activities: counted.filter(({ load }) => load !== null).length },
    load_bases: loadBasesOf(year),
    heart_rate_bounds: bounds,
    longest_sessions: longestSessionsOf(year),
    best_efforts: bestEffortsOf(recent),
    thresholds: { stated: statedThresholdsOf(counted), best_efforts: thresholdEffortsOf(year) },
    gaps: gapsOf(counted, firstWeek),
    left_out,
  };
}

/** Returns the activities that count, oldest first, and how many others are left out. */
function selected(
  rows: readonly TrainingRow[],
  { source_order, unread }: BaselineOptions,
  nowSeconds: number,
) {
  const left_out = { duplicates: 0, excluded: 0, without_start: 0, in_future: 0, ...unread };
  const recordings = rows.flatMap(({ recording }) => recording ?? []);
  const memberships = membershipsOf(recordings, source_order);
  const candidates: Omit<Counted, "load">[] = [];
  for (const row of rows) {
    const { recording, activity_id, utc_offset_in_seconds: offset } = row;
    if (row.is_excluded) left_out.excluded += 1;
    else if (recording === null) left_out.without_start += 1;
    else if (recording.start_time_in_seconds > nowSeconds + CLOCK_TOLERANCE_SECONDS) left_out.in_future += 1;
    else if (memberships.get(activity_id)?.is_canonical === false) left_out.duplicates += 1;
    else {
      const start = recording.start_time_in_seconds;
      const duration = row.timer_time_in_seconds ?? row.elapsed_time_in_seconds;
      const day = dayOf(start, offset ?? 0);
      candidates.push({ ...row, start, day, has_local_date: offset !== null, duration });
    }
  }
  candidates.sort((a, b) => a.start - b.start || (a.activity_id < b.activity_id ? -1 : 1));
  return { left_out, candidates };
}

function heartRatesOf(bounds: Bounds | null) {
  return bounds === null
    ? null
    : {
        resting_heart_rate_in_beats_per_minute: bounds.resting.beats_per_minute,
        max_heart_rate_in_beats_per_minute: bounds.max.beats_per_minute,
      };
}

/** Returns the offset from UTC for today's date: that of the latest activity that has one, else 0. */
function offsetOf(counted: readonly Counted[]): number {
  return counted.findLast(({ has_local_date }) => has_local_date)?.utc_offset_in_seconds ?? 0;
}

const LOAD_DECIMALS = 1;
const DISTANCE_DECIMALS = 0;
/** Rounds a sum of decimals, which has floating-point noise. */
export function roundedTo(value: number, decimals: number): number {
  const scale = 10 ** decimals;
  return Math.round(value * scale) / scale;
}

interface Sums {
  activities: number;
  activities_with_duration: number;
  activities_with_distance: number;
  duration: number;
  distance: number;
  load: number;
}

function sumsOf(counted: readonly Counted[]): Sums {
  const sums = {
    activities: 0,
    activities_with_duration: 0,
    activities_with_distance: 0,
    duration: 0,
    distance: 0,
    load: 0,
  };
  for (const { duration, distance_in_meters: distance, load } of counted) {
    sums.activities += 1;
    sums.activities_with_duration += duration === null ? 0 : 1;
    sums.activities_with_distance += distance === null ? 0 : 1;
    sums.duration += duration ?? 0;
    sums.distance += distance ?? 0;
    sums.load += load?.value ?? 0;
  }
  return sums;
}

/** Returns the sports of activities by their total duration, longest first. */
export function sportsByDuration(counted: readonly Counted[]): { sport: string; counted: Counted[] }[] {
  return [...Map.groupBy(counted, ({ sport }) => sport)]
    .map(([sport, ofSport]) => ({ sport, counted: ofSport, duration: sumsOf(ofSport).duration }))
    .sort((a, b) => b.duration - a.duration || (a.sport < b.sport ? -1 : 1));
}

function weeksOf(year: readonly Counted[], firstWeek: number): Baseline["weeks"] {
  const sports = sportsByDuration(year);
  const rest = sports.slice(BASELINE_SPORTS).flatMap(({ counted }) => counted);
  const listed: { sport: string | null; counted: Counted[] }[] = sports.slice(0, BASELINE_SPORTS);
  if (rest.length > 0) listed.push({ sport: null, counted: rest });
  return {
    first_days: Array.from({ length: BASELINE_WEEKS }, (_, week) => dateOf(firstWeek + 7 * week)),
    activities: year.length,
    sports: listed.map(({ sport, counted }) => {
      const weeks = sumsByPlace(counted, BASELINE_WEEKS, ({ day }) => Math.floor((day - firstWeek) / 7));
      return {
        sport,
        activities: weeks.map((sums) => sums.activities),
        activities_with_duration: weeks.map((sums) => sums.activities_with_duration),
        activities_with_distance: weeks.map((sums) => sums.activities_with_distance),
        duration_in_seconds: weeks.map((sums) => roundedTo(sums.duration, 0)),
        distance_in_meters: weeks.map((sums) => roundedTo(sums.distance, DISTANCE_DECIMALS)),
        load: weeks.map((sums) => roundedTo(sums.load, LOAD_DECIMALS)),
      };
    }),
  };
}

/** Returns the sums of activities for each place, such as a week. Places are counted from 0. */
function sumsByPlace(
  counted: readonly Counted[],
  length: number,
  placeOf: (activity: Counted) => number,
): Sums[] {
  const places = Map.groupBy(counted, placeOf);
  return Array.from({ length }, (_, place) => sumsOf(places.get(place) ?? []));
}

function daysOf(recent: readonly Counted[], firstDay: number) {
  const days = sumsByPlace(recent, BASELINE_DAYS, ({ day }) => day - firstDay);
  return {
    first_day: dateOf(firstDay),
    activities: days.map((sums) => sums.activities),
    duration_in_seconds: days.map((sums) => roundedTo(sums.duration, 0)),
    load: days.map((sums) => roundedTo(sums.load, LOAD_DECIMALS)),
  };
}

function averageOf(counted: readonly Counted[], today: number, days: number): Baseline["averages"][number] {
  const sums = sumsOf(counted.filter(({ day }) => day > today - days));
  return {
    days,
    activities: sums.activities,
    activities_with_duration: sums.activities_with_duration,
    activities_with_distance: sums.activities_with_distance,
    duration_in_seconds_per_day: roundedTo(sums.duration / days, 1),
    distance_in_meters_per_day: roundedTo(sums.distance / days, 1),
    load_per_day: roundedTo(sums.load / days, 2),
  };
}

function loadBasesOf(year: readonly Counted[]): Baseline["load_bases"] {
  const loads = year.flatMap(({ load }) => load ?? []);
  return [...Map.groupBy(loads, ({ basis }) => basis)]
    .map(([basis, ofBasis]) => ({
      basis,
      activities: ofBasis.length,
      load: roundedTo(
        ofBasis.reduce((sum, { value }) => sum + value, 0),
        LOAD_DECIMALS,
      ),
    }))
    .sort((a, b) => (a.basis < b.basis ? -1 : 1));
}

function longestSessionsOf(year: readonly Counted[]): Baseline["longest_sessions"] {
  return sportsByDuration(year)
    .slice(0, BASELINE_SPORTS)
    .flatMap(({ sport, counted }) => {
      const timed = counted.filter(({ duration }) => duration !== null);
      const [first, ...others] = timed;
      if (first === undefined) return [];
      const longest = others.reduce(
        (best, other) => ((other.duration ?? 0) > (best.duration ?? 0) ? other : best),
        first,
      );
      return {
        sport,
        activity_id: longest.activity_id,
        local_date: dateOf(longest.day),
        duration_in_seconds: longest.duration ?? 0,
        distance_in_meters: longest.distance_in_meters,
        activities: timed.length,
      };
    });
}

/** Returns the gaps between two activities that end on the day `since` or later. */
function gapsOf(counted: readonly Counted[], since: number): Baseline["gaps"] {
  const days = [...new Set(counted.map(({ day }) => day))].sort((a, b) => a - b);
  return days.flatMap((day, index) => {
    const before = days[index - 1];
    const length = before === undefined ? 0 : day - before;
    if (before === undefined || length <= GAP_DAYS || day < since) return [];
    return { after: dateOf(before), before: dateOf(day), days: length };
  });
}
