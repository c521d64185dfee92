import type { Athlete } from "./athlete.ts";
import { utcOffsetOf } from "./clock.ts";
import {
  ALTITUDE,
  CADENCE,
  DISTANCE,
  HEART_RATE,
  LATITUDE,
  LONGITUDE,
  possibleColumns,
  POWER,
  SPEED,
  STANDARD_KEYS,
  TEMPERATURE,
  TIME_KEY,
} from "./columns.ts";
import { sourceOf, type DeveloperColumn } from "./developerFields.ts";
import { localTimeOf } from "./localTime.ts";
import { recordedWith } from "./recordedWith.ts";
import { EffortBudget } from "./bestEfforts.ts";
import { Efforts, type SwumLength } from "./efforts.ts";
import { lapsOf, startOf, type SessionLaps } from "./laps.ts";
import { sportName, subSportName } from "./names.ts";
import { pausedSeconds, pausesOf, type Pause } from "./pauses.ts";
import { JOULES_PER_KILOJOULE, numbersOf, quantitiesOf, type Numbers } from "./numbers.ts";
import { partsOfSession, sharedPartsOf, type Derive, type SharedParts } from "./parts.ts";
import { LENGTH_ACTIVE, type SESSION, type Values } from "./profile.ts";
import { QUANTITY_DECIMALS, type QuantityName } from "./quantities.ts";
import { columnCountOf, readRows } from "./rows.ts";
import { sessionsWithRr } from "./rrIntervals.ts";
import { profileNameOf, recoveryHeartRatesOf } from "./sessionMessages.ts";
import type { SessionWindow, SessionWindows } from "./sessionWindows.ts";
import { SUMMARY_FIELD_NAMES, summaryFields, type SummaryFields } from "./summaryFields.ts";
import { Totals } from "./totals.ts";
import { COVERAGE_DECIMALS, trainingLoadOf, type LoadEvidence } from "./trainingLoad.ts";
import type { ActivityParts, DecodedActivity, FitWarning } from "./types.ts";
import { degrees, isPosition, rounded } from "./values.ts";

/** 1 cm, the resolution of FIT positions: a degree of latitude is 111 km. */
const DEGREE_DECIMALS = 7;

/** Running, walking and hiking: their cadence counts the strides of one foot. */
const SPORTS_ON_FOOT: ReadonlySet<number> = new Set([1, 11, 17]);
/** Running, transition, walking, cross-country skiing, mountaineering, hiking, snowshoeing: standing lowers the cadence. */
const SPORTS_WITH_ZERO_CADENCE: ReadonlySet<number> = new Set([1, 3, 11, 12, 16, 17, 35]);
const GENERIC_SPORT = 0;
const VIRTUAL_SUB_SPORT = "virtual_activity";
const VIRTUAL_WORLDS: ReadonlySet<string> = new Set(["zwift", "rouvy", "mywhoosh"]);

/** Decodes the activities of a chained file. The caller sets `session_index` and `session_count`. */
export function activitiesOf(
  view: DataView,
  sessionWindows: SessionWindows,
  fallbackStartInSeconds: number | null,
  warnings: Set<FitWarning>,
): DecodedActivity[] {
  const { chained, clock, windows } = sessionWindows;
  const laps = lapsOf(sessionWindows);
  const evidence = windows.map((window, i) => {
    const ofSession = laps[i] ?? { laps: [], lengths: [] };
    const sport = sportsOf(window.session, chained.sport, ofSession.laps);
    return { window, sport, ...ofSession, pauses: pausesOf(chained, clock, window) };
  });
  const totals = totalsOf(view, sessionWindows, evidence, warnings);
  const recoveryHeartRates = recoveryHeartRatesOf(sessionWindows);
  const parts = sharedPartsOf(sessionWindows);
  const withRr = sessionsWithRr(view, sessionWindows);
  if (clock.isUnset) warnings.add("clock_not_set");
  const activities = evidence.flatMap((ofSession, i) => {
    const { window } = ofSession;
    if (window.elapsedWasTooShort) warnings.add("elapsed_corrected");
    if (Number.isNaN(window.start)) warnings.add("clock_not_set");
    const sums = totals[i];
    const shared = { index: i, parts, fallbackStartInSeconds };
    const named = {
      recovery_heart_rate_in_beats_per_minute: rounded(recoveryHeartRates[i], 0),
      profile_name: window.session.profile_name ?? profileNameOf(chained, i),
      workout_name: chained.workout.wkt_name ?? null,
      has_rr_intervals: withRr[i] === true,
      recorded_with: recordedWith(parts.devices),
      number_of_laps: ofSession.laps.length,
    };
    if (sums === undefined) return [];
    const activity = activityOf(ofSession, sums, shared);
    return [{ ...activity, ...named, training_load: trainingLoadOf(activity) }];
  });
  const places = activities.map(positionOf);
  const device = utcOffsetOf(chained.activity);
  return activities.map((activity, i) => {
    // A session without a position, such as a pool swim, was where the others of its file were.
    const position = places[i] ?? places.find((place) => place !== null) ?? null;
    return { ...activity, ...localTimeOf({ start: activity.start_time_in_seconds, device, position }) };
  });
}

/** Returns the position of an activity's start; null when unknown, and for apps that record positions of a virtual world. */
function positionOf({
  start_latitude_in_degrees: latitude,
  start_longitude_in_degrees: longitude,
  sub_sport: subSport,
  devices: [creator],
}: DecodedActivity): [latitude: number, longitude: number] | null {
  const isVirtual = subSport === VIRTUAL_SUB_SPORT || VIRTUAL_WORLDS.has(creator?.manufacturer ?? "");
  return latitude === null || longitude === null || isVirtual ? null : [latitude, longitude];
}

/** Returns the parts of the activity of a session as `activitiesOf` does, without reading records. Null for an unknown session. */
export function partsOf(sessionWindows: SessionWindows, index: number): ActivityParts | null {
  const { chained, windows } = sessionWindows;
  const [window, ofSession] = [windows[index], lapsOf(sessionWindows)[index]];
  if (window === undefined || ofSession === undefined) return null;
  const { sport } = sportsOf(window.session, chained.sport, ofSession.laps);
  const isOnFoot = SPORTS_ON_FOOT.has(sport ?? GENERIC_SPORT);
  const evidence = { ...sharedPartsOf(sessionWindows), index, ofSession, sport, isOnFoot };
  return partsOfSession(evidence, (_name, recorded, computed) => recorded ?? computed);
}

/** Everything about a session but its rows. */
interface SessionEvidence extends SessionLaps {
  readonly window: SessionWindow;
  readonly sport: SessionSport;
  readonly pauses: readonly Pause[];
}

function totalsOf(
  view: DataView,
  sessionWindows: SessionWindows,
  evidence: readonly SessionEvidence[],
  warnings: Set<FitWarning>,
): Totals[] {
  const { chained, windows } = sessionWindows;
  const developerColumns = chained.developerFields.columns;
  const readerCounts = new Uint16Array(columnCountOf(sessionWindows)).fill(windows.length);
  const possible = possibleColumns(chained.recordFields, !chained.heartRates.isEmpty);
  // Columns that no record has are not read at all.
  possible.forEach((isPossible, column) => isPossible || (readerCounts[column] = 0));
  const budget = new EffortBudget();
  const totals = evidence.map(({ window, sport, pauses, lengths }) => {
    const summed = columnsToSum(window.session, lengths.length > 0, chained.gaps.length > 0);
    return new Totals({
      summed,
      efforts: new Efforts(budget, swumLengthsOf(window, lengths, sessionWindows.clock)),
      possible,
      developerColumns,
      readerCounts,
      normalizesPower: summed.includes(POWER) && window.session.normalized_power === undefined,
      countsZeroCadence: SPORTS_WITH_ZERO_CADENCE.has(sport.sport ?? GENERIC_SPORT),
      pauses,
      elapsed: window.elapsed,
    });
  });
  const clockJumped = readRows(view, sessionWindows, readerCounts, (index, time, row) =>
    totals[index]?.add(time, row),
  );
  for (const ofSession of totals) ofSession.finish();
  if (clockJumped) warnings.add("clock_jump");
  return totals;
}

/** Returns the lengths of a pool of known length, without those of unknown time. */
function swumLengthsOf(
  { session, start }: SessionWindow,
  lengths: SessionLaps["lengths"],
  clock: SessionWindows["clock"],
): SwumLength[] {
  const { pool_length_in_meters: meters } = session;
  if (meters === undefined || !(meters > 0)) return [];
  return lengths.flatMap(({ length }) => {
    const from = startOf(length, clock) - start;
    const seconds = length.total_elapsed_time ?? length.total_timer_time ?? NaN;
    if (!(from >= 0 && seconds > 0)) return [];
    const metersPerSecond = length.length_type === LENGTH_ACTIVE ? meters / seconds : 0;
    return [{ from, to: from + seconds, metersPerSecond }];
  });
}

/** Returns the columns needed to compute fields that the session lacks. */
function columnsToSum(session: Values<typeof SESSION>, hasLengths: boolean, hasGaps: boolean): number[] {
  const lacks = (...names: (keyof Values<typeof SESSION>)[]) => names.some((name) => !session[name]);
  const needsMovement = lacks("total_moving_time") && lacks("active_time") && !hasLengths;
  const needed: [column: number, isNeeded: boolean][] = [
    [ALTITUDE, lacks("total_ascent", "total_descent")],
    [SPEED, needsMovement || (lacks("max_speed") && lacks("enhanced_max_speed"))],
    [HEART_RATE, lacks("avg_heart_rate", "max_heart_rate")],
    [POWER, lacks("avg_power", "max_power", "normalized_power", "total_work")],
    [CADENCE, lacks("avg_cadence", "max_cadence")],
    [TEMPERATURE, lacks("avg_temperature")],
  ];
  const columns = needed.flatMap(([column, isNeeded]) => (isNeeded ? [column] : []));
  // Speed and distance show whether a device moved in a gap between records.
  const showsMovement = needsMovement || (hasGaps && columns.length > 0);
  if (showsMovement && !columns.includes(SPEED)) columns.push(SPEED);
  if (showsMovement || lacks("total_distance")) columns.push(DISTANCE);
  return columns;
}

/** Values shared by all activities of a chained file, and the index of the session. */
interface SharedEvidence {
  index: number;
  parts: SharedParts;
  fallbackStartInSeconds: number | null;
}

function activityOf(
  { window, sport, laps, lengths, pauses }: SessionEvidence,
  totals: Totals,
  { index, parts, fallbackStartInSeconds }: SharedEvidence,
): DecodedActivity {
  const { chained, clock } = parts.sessionWindows;
  const { session } = window;
  const derived = new Set<string>();
  const derive: Derive = (name, recorded, computed) => {
    if (recorded !== undefined && recorded !== null) return recorded;
    if (computed !== null) derived.add(name);
    return computed;
  };
  const sportNumber = derive("sport", session.sport, sport.sport ?? GENERIC_SPORT) ?? GENERIC_SPORT;
  const subSport = derive("sub_sport", session.sub_sport, sport.subSport);
  const isOnFoot = SPORTS_ON_FOOT.has(sportNumber);
  const recordedStart = window.startIsRecorded ? clock.unix(window.start) : null;
  const start = derive("start_time_in_seconds", recordedStart, clock.unix(window.start));
  const counts = lengthCountsOf(session, lengths, derive);
  const numbers = numbersOf(session, isOnFoot);
  deriveNumbers(numbers, derived, {
    window,
    totals,
    isOnFoot,
    pauses,
    swumMeters: (counts.number_of_active_lengths ?? NaN) * (session.pool_length_in_meters ?? NaN),
    swumSeconds: swumSeconds(lengths),
  });
  const position = startPositionOf(session, totals, derive);
  const streams = streamKeysOf(totals, chained.developerFields.columns, derived);
  const details = partsOfSession(
    { ...parts, index, ofSession: { laps, lengths }, sport: sportNumber, isOnFoot },
    derive,
  );
  return {
    session_index: 0,
    session_count: 0,
    sport: sportName(sportNumber),
    sub_sport: subSport === null ? null : subSportName(subSport),
    start_time_in_seconds: start ?? fallbackStartInSeconds,
    ...quantitiesOf(numbers),
    ...summaryFieldsOf(session),
    local_date: null,
    ...counts,
    ...position,
    training_load: null,
    best_efforts: totals.efforts.best(),
    load_evidence: loadEvidenceOf(totals, numbers.timer_time_in_seconds, details.athlete),
    ...details,
    streams,
    derived: [...derived],
  };
}

function loadEvidenceOf({ efforts }: Totals, timer: number, athlete: Athlete): LoadEvidence {
  const powerSeconds = efforts.powerSeconds();
  return {
    power_coverage: powerSeconds > 0 ? rounded(Math.min(1, powerSeconds / timer), COVERAGE_DECIMALS) : null,
    heart_rate_histogram: efforts.heartRateHistogram(),
    functional_threshold_power_in_watts: athlete.functional_threshold_power_in_watts,
    threshold_heart_rate_in_beats_per_minute: athlete.threshold_heart_rate_in_beats_per_minute,
    max_heart_rate_in_beats_per_minute: athlete.max_heart_rate_in_beats_per_minute,
    resting_heart_rate_in_beats_per_minute: athlete.resting_heart_rate_in_beats_per_minute,
  };
}

interface SessionSport {
  readonly sport: number | null;
  readonly subSport: number | null;
}

/** Returns the sport of a session: its own, or that of the `sport` message, or that of its laps. */
function sportsOf(
  session: Values<typeof SESSION>,
  message: SessionWindows["chained"]["sport"],
  laps: SessionLaps["laps"],
): SessionSport {
  const lap = laps.find((candidate) => candidate.sport !== undefined) ?? {};
  const sources = [session, message, lap];
  const sport = sources.find((source) => source.sport !== undefined)?.sport;
  // A sub-sport belongs to a sport.
  const subSport = sources.find(
    (source) => source.sub_sport !== undefined && (source.sport ?? sport) === sport,
  );
  return { sport: sport ?? null, subSport: subSport?.sub_sport ?? null };
}

/** Returns the seconds of the active lengths of a pool; NaN without any. */
function swumSeconds(lengths: SessionLaps["lengths"]): number {
  const active = lengths.flatMap(({ length }) => (length.length_type === LENGTH_ACTIVE ? [length] : []));
  const seconds = active.map((length) => length.total_timer_time ?? length.total_elapsed_time ?? NaN);
  return seconds.length === 0 ? NaN : seconds.reduce((sum, one) => sum + one, 0);
}

function lengthCountsOf(
  session: Values<typeof SESSION>,
  lengths: SessionLaps["lengths"],
  derive: Derive,
): Pick<DecodedActivity, "number_of_lengths" | "number_of_active_lengths"> {
  const active = lengths.filter(({ length }) => length.length_type === LENGTH_ACTIVE).length;
  return {
    number_of_lengths: derive("number_of_lengths", session.num_lengths, lengths.length || null),
    number_of_active_lengths: derive("number_of_active_lengths", session.num_active_lengths, active || null),
  };
}

function startPositionOf(
  session: Values<typeof SESSION>,
  totals: Totals,
  derive: Derive,
): Pick<DecodedActivity, "start_latitude_in_degrees" | "start_longitude_in_degrees"> {
  const [latitude, longitude] = [session.start_position_lat ?? NaN, session.start_position_long ?? NaN];
  const hasStart = isPosition(latitude, longitude);
  const firstOf = (column: number) => (totals.has(column) ? totals.first(column) : null);
  const degreesOf = (name: string, semicircles: number, column: number) =>
    rounded(derive(name, hasStart ? degrees(semicircles) : null, firstOf(column)) ?? NaN, DEGREE_DECIMALS);
  return {
    start_latitude_in_degrees: degreesOf("start_latitude_in_degrees", latitude, LATITUDE),
    start_longitude_in_degrees: degreesOf("start_longitude_in_degrees", longitude, LONGITUDE),
  };
}

function summaryFieldsOf(session: Values<typeof SESSION>): SummaryFields {
  const names = SUMMARY_FIELD_NAMES.values();
  const next = () => {
    const { value: name } = names.next();
    return name === undefined ? null : session[name];
  };
  return summaryFields(
    (decimals) => {
      const value = next();
      return typeof value === "number" ? rounded(value, decimals) : null;
    },
    () => {
      const value = next();
      return typeof value === "string" ? value : null;
    },
    () => {
      next();
      return false;
    },
    () => {
      next();
      return null;
    },
  );
}

interface Evidence {
  window: SessionWindow;
  totals: Totals;
  isOnFoot: boolean;
  pauses: readonly Pause[];
  swumMeters: number;
  swumSeconds: number;
}

/** Computes fields that the session lacks from its other fields and the rows, and adds their names to `derived`. */
function deriveNumbers(numbers: Numbers, derived: Set<string>, evidence: Evidence): void {
  const { window, totals, isOnFoot, pauses, swumMeters } = evidence;
  const fillIn = (name: QuantityName, computed: number) => {
    if (!Number.isNaN(numbers[name]) || rounded(computed, QUANTITY_DECIMALS[name]) === null) return;
    numbers[name] = computed;
    derived.add(name);
  };

  // Correcting a duration gives a warning; the field does not count as derived.
  if (window.elapsedWasTooShort) {
    numbers.elapsed_time_in_seconds = window.elapsed ?? NaN;
    numbers.timer_time_in_seconds = window.timer ?? NaN;
  }
  fillIn(
    "elapsed_time_in_seconds",
    Math.max(window.timer ?? 0, totals.rows > 0 ? totals.lastTime : (window.elapsed ?? NaN)),
  );
  const { elapsed_time_in_seconds: elapsed } = numbers;
  fillIn("timer_time_in_seconds", Math.max(0, elapsed - pausedSeconds(pauses, elapsed)));
  const moving = Number.isNaN(evidence.swumSeconds) ? totals.movingSeconds : evidence.swumSeconds;
  fillIn("moving_time_in_seconds", Math.min(moving, numbers.timer_time_in_seconds));
  fillIn("distance_in_meters", swumMeters);
  const covered = totals.distance();
  fillIn("distance_in_meters", covered >= 0 ? covered : NaN);
  const { distance_in_meters: distance, timer_time_in_seconds: timer } = numbers;
  if (distance > 0 && timer > 0) fillIn("average_speed_in_meters_per_second", distance / timer);
  fillIn("max_speed_in_meters_per_second", totals.max(SPEED));
  fillIn("average_heart_rate_in_beats_per_minute", totals.average(HEART_RATE));
  fillIn("max_heart_rate_in_beats_per_minute", totals.max(HEART_RATE));
  fillIn("average_power_in_watts", totals.average(POWER));
  fillIn("max_power_in_watts", totals.max(POWER));
  fillIn("normalized_power_in_watts", totals.normalizedPower());
  fillIn("work_in_kilojoules", totals.integral(POWER) / JOULES_PER_KILOJOULE);
  fillIn("average_cadence_in_cycles_per_minute", totals.average(CADENCE));
  fillIn("max_cadence_in_cycles_per_minute", totals.max(CADENCE));
  if (isOnFoot) fillIn("average_steps_per_minute", 2 * numbers.average_cadence_in_cycles_per_minute);
  fillIn("ascent_in_meters", totals.climb.ascent);
  fillIn("descent_in_meters", totals.climb.descent);
  fillIn("average_temperature_in_celsius", totals.average(TEMPERATURE));
}

/** Returns the keys of streams with readings. A stream whose readings come from a developer field is `derived`. */
function streamKeysOf(
  totals: Totals,
  developerColumns: readonly DeveloperColumn[],
  derived: Set<string>,
): string[] {
  if (totals.rows === 0) return [];
  const keys: string[] = [TIME_KEY];
  STANDARD_KEYS.forEach((key, column) => {
    const source = sourceOf(
      column,
      developerColumns,
      (candidate) => totals.has(candidate),
      (candidate) => totals.hasNotZero(candidate),
    );
    if (totals.has(source)) keys.push(key);
    if (source !== column) derived.add(key);
  });
  developerColumns.forEach(({ key }, i) => {
    if (totals.has(STANDARD_KEYS.length + i)) keys.push(key);
  });
  return keys;
}
