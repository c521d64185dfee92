import { utcOffsetOf, type Clock } from "./clock.ts";
import {
  ALTITUDE,
  CADENCE,
  developerColumnsOf,
  DISTANCE,
  HEART_RATE,
  LATITUDE,
  LONGITUDE,
  POWER,
  sourceOf,
  SPEED,
  STANDARD_KEYS,
  TEMPERATURE,
  TIME_KEY,
  type DeveloperColumn,
} from "./columns.ts";
import { lapsOf, type SessionLaps } from "./laps.ts";
import type { SessionWindow, SessionWindows } from "./sessionWindows.ts";
import { listedName, manufacturerName, productName, sportName, subSportName } from "./names.ts";
import {
  LAP_TRIGGERS,
  LENGTH_ACTIVE,
  LENGTH_TYPES,
  SWIM_STROKES,
  type DEVICE_INFO,
  type LAP,
  type SESSION,
  type Values,
} from "./profile.ts";
import {
  quantities,
  QUANTITY_DECIMALS,
  QUANTITY_NAMES,
  type Quantities,
  type QuantityName,
} from "./quantities.ts";
import { readRows } from "./rows.ts";
import type { ChainedFile, TimerEvent } from "./firstPass.ts";
import { Totals } from "./totals.ts";
import type { DecodedActivity, DecodedDevice, DecodedLap, DecodedLength, FitWarning } from "./types.ts";
import { cadence, degrees, enhancedOrPlain, heartRate, isPosition, rounded } from "./values.ts";

/** 1 cm, the resolution of FIT positions: a degree of latitude is 111 km. */
const DEGREE_DECIMALS = 7;

/** Running, walking and hiking: their cadence counts the strides of one foot. */
const SPORTS_ON_FOOT: ReadonlySet<number> = new Set([1, 11, 17]);
const GENERIC_SPORT = 0;
const JOULES_PER_KILOJOULE = 1000;
/** `device_index` of the device that wrote the file. */
const CREATOR = 0;

/** Fields that session and lap messages share. */
type Summary = { [K in keyof Values<typeof SESSION> & keyof Values<typeof LAP>]?: number };
/** NaN for an unknown value. */
type Numbers = Record<QuantityName, number>;

/** Decodes the activities of a chained file. The caller sets `session_index` and `session_count`. */
export function activitiesOf(
  view: DataView,
  sessionWindows: SessionWindows,
  fallbackStartInSeconds: number | null,
  warnings: Set<FitWarning>,
): DecodedActivity[] {
  const { chained, clock, windows } = sessionWindows;
  const developerColumns = developerColumnsOf(chained);
  const totals = totalsOf(view, sessionWindows, developerColumns, warnings);
  const laps = lapsOf(sessionWindows);
  const shared = { sessionWindows, developerColumns, devices: devicesOf(chained), fallbackStartInSeconds };
  if (clock.isUnset) warnings.add("clock_not_set");
  return windows.map((window, i) => {
    if (window.elapsedWasTooShort) warnings.add("elapsed_corrected");
    if (Number.isNaN(window.start)) warnings.add("clock_not_set");
    const sessionTotals = totals[i] ?? new Totals([], [], new Uint16Array(0), false);
    const sessionLaps = laps[i] ?? { laps: [], lengths: [] };
    return activityOf(window, sessionTotals, sessionLaps, shared);
  });
}

function totalsOf(
  view: DataView,
  sessionWindows: SessionWindows,
  developerColumns: readonly DeveloperColumn[],
  warnings: Set<FitWarning>,
): Totals[] {
  const readerCounts = new Uint16Array(STANDARD_KEYS.length + developerColumns.length).fill(
    sessionWindows.windows.length,
  );
  const totals = sessionWindows.windows.map(({ session }) => {
    const summed = columnsToSum(session);
    const normalizesPower = summed.includes(POWER) && session.normalized_power === undefined;
    return new Totals(summed, developerColumns, readerCounts, normalizesPower);
  });
  const clockJumped = readRows(view, sessionWindows, developerColumns, readerCounts, (index, time, row) =>
    totals[index]?.add(time, row),
  );
  for (const ofSession of totals) ofSession.finish();
  if (clockJumped) warnings.add("clock_jump");
  return totals;
}

/** Returns the columns needed to compute fields that the session lacks. */
function columnsToSum(session: Values<typeof SESSION>): number[] {
  const lacks = (...names: (keyof Values<typeof SESSION>)[]) => names.some((name) => !session[name]);
  const columns: [column: number, isNeeded: boolean][] = [
    [DISTANCE, lacks("total_distance")],
    [ALTITUDE, lacks("total_ascent", "total_descent")],
    [SPEED, lacks("total_moving_time") || (lacks("max_speed") && lacks("enhanced_max_speed"))],
    [HEART_RATE, lacks("avg_heart_rate", "max_heart_rate")],
    [POWER, lacks("avg_power", "max_power", "normalized_power", "total_work")],
    [CADENCE, lacks("avg_cadence", "max_cadence")],
    [TEMPERATURE, lacks("avg_temperature")],
  ];
  return columns.flatMap(([column, isNeeded]) => (isNeeded ? [column] : []));
}

/** Values shared by all activities of a chained file. */
interface SharedEvidence {
  sessionWindows: SessionWindows;
  developerColumns: readonly DeveloperColumn[];
  devices: DecodedDevice[];
  fallbackStartInSeconds: number | null;
}

/** Returns the recorded value, or else the computed one, and then adds its name to the activity's `derived`. */
type Derive = <T>(name: string, recorded: T | null | undefined, computed: T | null) => T | null;

function activityOf(
  window: SessionWindow,
  totals: Totals,
  { laps, lengths }: SessionLaps,
  shared: SharedEvidence,
): DecodedActivity {
  const { chained, clock } = shared.sessionWindows;
  const { session } = window;
  const derived: string[] = [];
  const derive: Derive = (name, recorded, computed) => {
    if (recorded !== undefined && recorded !== null) return recorded;
    if (computed !== null) derived.push(name);
    return computed;
  };
  const { sport, subSport } = sportOf(session, chained.sport, derive);
  const isOnFoot = SPORTS_ON_FOOT.has(sport);
  const recordedStart = window.startIsRecorded ? clock.unix(window.start) : null;
  const start = derive("start_time_in_seconds", recordedStart, clock.unix(window.start));
  const counts = lengthCountsOf(session, lengths, derive);
  const numbers = numbersOf(session, isOnFoot);
  deriveNumbers(numbers, derived, {
    window,
    totals,
    isOnFoot,
    pausedSeconds: pausedSeconds(chained.timer, clock, window, totals),
    swumMeters: (counts.number_of_active_lengths ?? NaN) * (session.pool_length ?? NaN),
  });
  const position = startPositionOf(session, totals, derive);
  const streams = streamKeysOf(totals, shared.developerColumns, derived);
  return {
    session_index: 0,
    session_count: 0,
    sport: sportName(sport),
    sub_sport: subSport === null ? null : subSportName(subSport),
    start_time_in_seconds: start ?? shared.fallbackStartInSeconds,
    utc_offset_in_seconds: utcOffsetOf(chained.activity),
    ...quantitiesOf(numbers),
    ...trainingOf(session),
    pool_length_in_meters: rounded(session.pool_length, 2),
    ...counts,
    ...position,
    derived,
    streams,
    laps: laps.map((lap, index) => lapOf(lap, index, clock, isOnFoot)),
    lengths: lengths.map((length, index) => lengthOf(length, index, clock)),
    devices: shared.devices,
  };
}

/** Takes the sport from the `sport` message when the session has none. */
function sportOf(
  session: Values<typeof SESSION>,
  sportMessage: SessionWindows["chained"]["sport"],
  derive: Derive,
): { sport: number; subSport: number | null } {
  const sport = derive("sport", session.sport, sportMessage.sport ?? GENERIC_SPORT) ?? GENERIC_SPORT;
  const subSport =
    session.sport === undefined
      ? derive("sub_sport", session.sub_sport, sportMessage.sub_sport ?? null)
      : (session.sub_sport ?? null);
  return { sport, subSport };
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

/** Returns the device's training scores and the threshold power used for them. */
function trainingOf(session: Values<typeof SESSION>) {
  return {
    training_stress_score: rounded(session.training_stress_score, 1),
    intensity_factor: rounded(session.intensity_factor, 3),
    threshold_power_in_watts: rounded(session.threshold_power, 0),
    training_effect_aerobic: rounded(session.total_training_effect, 1),
    training_effect_anaerobic: rounded(session.total_anaerobic_training_effect, 1),
  };
}

function numbersOf(summary: Summary, isOnFoot: boolean): Numbers {
  const timer = summary.total_timer_time ?? NaN;
  const speed = enhancedOrPlain(summary.enhanced_avg_speed ?? NaN, summary.avg_speed ?? NaN);
  const averageCadence = cadence(summary.avg_cadence ?? NaN, summary.avg_fractional_cadence ?? NaN);
  return {
    elapsed_time_in_seconds: summary.total_elapsed_time ?? NaN,
    timer_time_in_seconds: timer,
    moving_time_in_seconds: summary.total_moving_time ?? NaN,
    distance_in_meters: summary.total_distance ?? NaN,
    // A speed over no time has no meaning.
    average_speed_in_meters_per_second: timer === 0 ? NaN : speed,
    max_speed_in_meters_per_second: enhancedOrPlain(
      summary.enhanced_max_speed ?? NaN,
      summary.max_speed ?? NaN,
    ),
    average_heart_rate_in_beats_per_minute: heartRate(summary.avg_heart_rate ?? NaN),
    max_heart_rate_in_beats_per_minute: heartRate(summary.max_heart_rate ?? NaN),
    average_power_in_watts: summary.avg_power ?? NaN,
    max_power_in_watts: summary.max_power ?? NaN,
    normalized_power_in_watts: summary.normalized_power ?? NaN,
    work_in_kilojoules: (summary.total_work ?? NaN) / JOULES_PER_KILOJOULE,
    average_cadence_in_cycles_per_minute: averageCadence,
    max_cadence_in_cycles_per_minute: cadence(
      summary.max_cadence ?? NaN,
      summary.max_fractional_cadence ?? NaN,
    ),
    average_steps_per_minute: isOnFoot ? 2 * averageCadence : NaN,
    ascent_in_meters: summary.total_ascent ?? NaN,
    descent_in_meters: summary.total_descent ?? NaN,
    energy_in_kilocalories: summary.total_calories ?? NaN,
    average_temperature_in_celsius: summary.avg_temperature ?? NaN,
  };
}

function quantitiesOf(numbers: Numbers): Quantities {
  const result: Quantities = quantities(() => null);
  for (const name of QUANTITY_NAMES) result[name] = rounded(numbers[name], QUANTITY_DECIMALS[name]);
  return result;
}

interface Evidence {
  window: SessionWindow;
  totals: Totals;
  isOnFoot: boolean;
  pausedSeconds: number;
  swumMeters: number;
}

/** Computes fields that the session lacks from its other fields and the rows, and adds their names to `derived`. */
function deriveNumbers(numbers: Numbers, derived: string[], evidence: Evidence): void {
  const { window, totals, isOnFoot, pausedSeconds, swumMeters } = evidence;
  const fillIn = (name: QuantityName, computed: number) => {
    if (!Number.isNaN(numbers[name]) || rounded(computed, QUANTITY_DECIMALS[name]) === null) return;
    numbers[name] = computed;
    derived.push(name);
  };

  // Correcting the elapsed time gives a warning; the field does not count as derived.
  if (window.elapsedWasTooShort) numbers.elapsed_time_in_seconds = window.elapsed ?? NaN;
  fillIn(
    "elapsed_time_in_seconds",
    Math.max(window.timer ?? 0, totals.rows > 0 ? totals.lastTime : (window.elapsed ?? NaN)),
  );
  fillIn("timer_time_in_seconds", Math.max(0, numbers.elapsed_time_in_seconds - pausedSeconds));
  fillIn("moving_time_in_seconds", Math.min(totals.movingSeconds, numbers.timer_time_in_seconds));
  fillIn("distance_in_meters", swumMeters);
  const span = totals.span(DISTANCE);
  fillIn("distance_in_meters", span >= 0 ? span : NaN);
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
  fillIn("ascent_in_meters", totals.ascent);
  fillIn("descent_in_meters", totals.descent);
  fillIn("average_temperature_in_celsius", totals.average(TEMPERATURE));
}

/** Returns the keys of streams with readings. A stream whose readings come from a developer field is `derived`. */
function streamKeysOf(
  totals: Totals,
  developerColumns: readonly DeveloperColumn[],
  derived: string[],
): string[] {
  if (totals.rows === 0) return [];
  const keys = [TIME_KEY];
  STANDARD_KEYS.forEach((key, column) => {
    const source = sourceOf(column, developerColumns, (candidate) => totals.has(candidate));
    if (totals.has(source)) keys.push(key);
    if (source !== column) derived.push(key);
  });
  developerColumns.forEach(({ key }, i) => {
    if (totals.has(STANDARD_KEYS.length + i)) keys.push(key);
  });
  return keys;
}

/** Returns the seconds of a session during which the timer was stopped, from its start and stop events. */
function pausedSeconds(
  timer: readonly TimerEvent[],
  clock: Clock,
  window: SessionWindow,
  totals: Totals,
): number {
  const end = Math.min(window.end, window.start + (window.elapsed ?? totals.lastTime));
  let paused = 0;
  let stoppedAt = NaN;
  for (const { timestamp, running } of timer) {
    const time = Math.min(Math.max(clock.place(timestamp), window.start), end);
    if (!running && Number.isNaN(stoppedAt)) stoppedAt = time;
    if (running && !Number.isNaN(stoppedAt)) {
      paused += Math.max(0, time - stoppedAt);
      stoppedAt = NaN;
    }
  }
  return paused;
}

function lapOf(lap: Values<typeof LAP>, index: number, clock: Clock, isOnFoot: boolean): DecodedLap {
  const numbers = numbersOf(lap, isOnFoot);
  const { distance_in_meters: distance, timer_time_in_seconds: timer } = numbers;
  if (Number.isNaN(numbers.average_speed_in_meters_per_second) && distance > 0 && timer > 0) {
    numbers.average_speed_in_meters_per_second = distance / timer;
  }
  return {
    lap_index: index,
    start_time_in_seconds: unixOf(lap.start_time, clock),
    trigger: listedName(LAP_TRIGGERS, lap.lap_trigger),
    ...quantitiesOf(numbers),
  };
}

function lengthOf(
  { length, lapIndex }: SessionLaps["lengths"][number],
  index: number,
  clock: Clock,
): DecodedLength {
  return {
    length_index: index,
    lap_index: lapIndex,
    type: length.length_type === undefined ? null : (LENGTH_TYPES[length.length_type] ?? null),
    start_time_in_seconds: unixOf(length.start_time, clock),
    elapsed_time_in_seconds: rounded(length.total_elapsed_time, QUANTITY_DECIMALS.elapsed_time_in_seconds),
    stroke: listedName(SWIM_STROKES, length.swim_stroke),
    strokes: length.total_strokes ?? null,
  };
}

function unixOf(timestamp: number | undefined, clock: Clock): number | null {
  return timestamp === undefined ? null : clock.unix(clock.place(timestamp));
}

/** Returns the devices that reported. The one that wrote the file comes first; `file_id` describes it as well. */
function devicesOf({ fileId, devices }: ChainedFile): DecodedDevice[] {
  const { type: _type, ...identity } = fileId;
  const creator = { ...identity, ...devices.get(String(CREATOR)), device_index: CREATOR };
  const others = [...devices.values()].filter(({ device_index }) => device_index !== CREATOR);
  const isKnown = creator.manufacturer !== undefined || devices.has(String(CREATOR));
  return (isKnown ? [creator, ...others] : others).map(deviceOf);
}

function deviceOf(device: Values<typeof DEVICE_INFO>): DecodedDevice {
  const { manufacturer, product, product_name } = device;
  return {
    device_index: device.device_index ?? null,
    manufacturer: manufacturer === undefined ? null : manufacturerName(manufacturer),
    product: product_name ?? (product === undefined ? null : productName(manufacturer, product)),
    serial_number: device.serial_number ?? null,
    software_version: rounded(device.software_version, 2),
  };
}
