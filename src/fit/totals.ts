import {
  ALTITUDE,
  CADENCE,
  DISTANCE,
  HEART_RATE,
  isListed,
  LAST_DISTANCE,
  LISTED_MARK,
  POWER,
  SPEED,
  STANDARD_KEYS,
  TEMPERATURE,
} from "./columns.ts";
import type { DeveloperColumn } from "./developerFields.ts";
import { EFFORT_COLUMNS, type Efforts } from "./efforts.ts";
import type { Pause } from "./pauses.ts";
import { GAP_SECONDS } from "./recordRuns.ts";
import { converted } from "./units.ts";

/** Longest time that a reading holds in sessions without a duration, where nothing shows a stop of the timer. */
const LONGEST_HOLD_SECONDS = 300;
/** Longest time that a speed holds over records without one, as a heart rate does in the histogram. */
const SPEED_HOLD_SECONDS = 60;
/** Minimum speed of movement. A slow walk is twice as fast. */
const MOVING_METERS_PER_SECOND = 0.5;
/** Window of the normalized power formula (Allen and Coggan, Training and Racing with a Power Meter). */
const ROLLING_SECONDS = 30;
/** No column. */
const NOTHING = -1;
/** Columns with averages. */
const AVERAGED: ReadonlySet<number> = new Set([HEART_RATE, POWER, CADENCE, TEMPERATURE]);

export interface TotalsOptions {
  /** Standard columns that are needed for sums. */
  readonly summed: readonly number[];
  /** Best efforts. They need the columns of `EFFORT_COLUMNS`. Only the first reading of other columns is needed. */
  readonly efforts: Efforts;
  /** Whether each standard column can have readings. */
  readonly possible: readonly boolean[];
  readonly developerColumns: readonly DeveloperColumn[];
  /**
   * Number of activities that still need each column's readings. Totals decrement it when they need no more.
   */
  readonly readerCounts: Uint16Array;
  readonly normalizesPower: boolean;
  /** Whether a cadence of 0 counts for the average. */
  readonly countsZeroCadence: boolean;
  /** Times in which the timer was stopped, in ascending order, in seconds since the start. */
  readonly pauses: readonly Pause[];
  /** Duration of the session; undefined when unknown. */
  readonly elapsed: number | undefined;
}

/**
 * Computes sums, averages and extremes of an activity's rows for the fields that its session lacks, in one pass without
 * keeping rows. A reading holds until the next row while the timer runs, so that averages are over time.
 */
export class Totals {
  rows = 0;
  /** Seconds since the start at the last row. */
  lastTime = 0;
  /** Seconds with movement, by speed or else by distance; NaN without either. */
  movingSeconds = NaN;
  readonly climb = new Climb();
  /** Columns to average. */
  private readonly averaged: Int32Array;
  /** For each averaged column: held reading, maximum, sum, and held seconds that do not count for its average. */
  private readonly averages: Float64Array;
  /** For each averaged column: the column that its readings come from. */
  private readonly averagedSources: Int32Array;
  /** For each averaged column: the time of the held reading. */
  private readonly averagedFrom: Float64Array;
  /** For each standard column: the column that its readings come from so far. */
  private readonly sources: Int32Array;
  private readonly replacesColumn: Int32Array;
  private readonly developerColumns: readonly DeveloperColumn[];
  private readonly isSummed: Uint8Array;
  /** Whether the readings of some column come from a developer field. */
  private hasReplacement = false;
  /** Columns without a reading so far, or with readings of 0 only if they replace another. */
  private readonly missing: number[];
  private readonly missingListed: number[];
  private readonly readerCounts: Uint16Array;
  /** First reading of every column. */
  private readonly firsts: Float64Array;
  private readonly isNotZero: Uint8Array;
  /** Held seconds at the first reading of 0 of a column that replaces another. */
  private readonly zeroSince: Float64Array;
  /** Time of that reading. */
  private readonly zeroFrom: Float64Array;
  private readonly power: NormalizedPower | null;
  /** Index of the held power in `averages`. */
  private readonly powerAt: number;
  readonly efforts: Efforts;
  private readonly sumsSpeed: boolean;
  private readonly sumsAltitude: boolean;
  private readonly sumsDistance: boolean;
  /** Whether the speed of best efforts comes from the distance, because no record has a speed. */
  private readonly tracksDistance: boolean;
  private heldSpeed = NaN;
  private heldAltitude = NaN;
  private heldDistance = NaN;
  private heldPower = NaN;
  private heldHeartRate = NaN;
  /** Readings that hold over records without one, for a limited time; NaN without any. */
  private knownSpeed = NaN;
  private knownSpeedFrom = NaN;
  private knownDistance = NaN;
  /** Seconds since the last distance without a speed. The next distance shows whether they count as movement. */
  private unknownSeconds = 0;
  private maxSpeed = -Infinity;
  private lastDistance = NaN;
  private heldFrom = NaN;
  private heldSeconds = 0;
  private readonly countsZeroCadence: boolean;
  private readonly elapsed: number | undefined;
  private readonly longestHold: number;
  private readonly pauses: readonly Pause[];
  private pause = 0;
  private nextPause: number;

  constructor(options: TotalsOptions) {
    const { summed, possible, developerColumns, readerCounts } = options;
    this.averaged = Int32Array.from(summed.filter((column) => AVERAGED.has(column)));
    this.averagedSources = this.averaged.slice();
    this.averagedFrom = new Float64Array(this.averaged.length).fill(NaN);
    this.averages = new Float64Array(4 * this.averaged.length);
    for (let i = 0; i < this.averaged.length; i++) this.restartAverage(i, NaN, 0);
    this.sources = Int32Array.from(STANDARD_KEYS.keys());
    this.developerColumns = developerColumns;
    this.replacesColumn = Int32Array.from([
      ...STANDARD_KEYS.map(() => NOTHING),
      ...developerColumns.map(({ replacesColumn }) => replacesColumn ?? NOTHING),
    ]);
    const hasNoSpeed =
      possible[SPEED] !== true && developerColumns.every(({ replacesColumn }) => replacesColumn !== SPEED);
    this.tracksDistance = hasNoSpeed && possible[DISTANCE] === true;
    const needed = new Set([...summed, ...EFFORT_COLUMNS, ...(this.tracksDistance ? [DISTANCE] : [])]);
    this.isSummed = Uint8Array.from(STANDARD_KEYS, (_, column) => (needed.has(column) ? 1 : 0));
    this.efforts = options.efforts;
    const columns = Array.from(readerCounts.keys()).filter((column) => possible[column] ?? true);
    this.missing = columns.filter((column) => !isListed(column));
    this.missingListed = columns.filter(isListed);
    this.readerCounts = readerCounts;
    this.firsts = new Float64Array(readerCounts.length).fill(NaN);
    this.isNotZero = new Uint8Array(readerCounts.length);
    this.zeroSince = new Float64Array(readerCounts.length).fill(NaN);
    this.zeroFrom = new Float64Array(readerCounts.length).fill(NaN);
    this.power = options.normalizesPower ? new NormalizedPower() : null;
    this.powerAt = 4 * this.averaged.indexOf(POWER);
    this.sumsSpeed = summed.includes(SPEED);
    this.sumsAltitude = summed.includes(ALTITUDE);
    this.sumsDistance = summed.includes(DISTANCE);
    this.countsZeroCadence = options.countsZeroCadence;
    this.elapsed = options.elapsed;
    this.longestHold = options.elapsed === undefined ? LONGEST_HOLD_SECONDS : Infinity;
    this.pauses = options.pauses;
    this.nextPause = options.pauses[0]?.from ?? Infinity;
  }

  add(time: number, row: Float64Array): void {
    if (this.missing.length > 0) this.noteFirstReadings(time, row, this.missing);
    if (row[row.length - LISTED_MARK] === 1) this.noteFirstReadings(time, row, this.missingListed);
    if (this.rows > 0) {
      let duration = time - this.heldFrom;
      if (!(duration >= 0 && duration <= GAP_SECONDS && time <= this.nextPause)) {
        duration = this.durationUntil(time, row);
      }
      this.countHeldReadings(duration, row);
    }
    this.rows++;
    this.heldFrom = time;
    if (time === time) this.lastTime = time;
    this.holdReadings(time, row);
    this.efforts.add(time, this.heldHeartRate, this.heldPower, this.heldSpeed);
    if (this.tracksDistance) this.efforts.addDistance(time, this.heldDistance);
  }

  /** Counts the last row. It holds until the end of the session, for at most one second. */
  finish(): void {
    if (this.rows === 0) return;
    const rest = (this.elapsed ?? Infinity) - this.heldFrom;
    this.countHeldReadings(rest < 1 ? Math.max(0, rest) : 1, null);
    this.efforts.finish();
  }

  /** Whether a column has a reading. */
  has(column: number): boolean {
    return !Number.isNaN(this.first(column));
  }

  /** Whether a column has a reading other than 0. */
  hasNotZero(column: number): boolean {
    return this.isNotZero[column] === 1;
  }

  first(column: number): number {
    return this.firsts[column] ?? NaN;
  }

  /** Returns the last minus the first distance. */
  distance(): number {
    return this.lastDistance - this.convertedFirst(DISTANCE);
  }

  /** Returns the maximum of an averaged column or of speed; -Infinity or NaN without readings. */
  max(column: number): number {
    return column === SPEED ? this.maxSpeed : this.averageOf(column).max;
  }

  average(column: number): number {
    const { held, sum, seconds } = this.averageOf(column);
    return seconds > 0 ? sum / seconds : held;
  }

  /** Returns the integral over time: joules for watts. */
  integral(column: number): number {
    return this.has(this.sources[column] ?? column) ? this.averageOf(column).sum : NaN;
  }

  private averageOf(column: number): { held: number; max: number; sum: number; seconds: number } {
    const at = 4 * this.averaged.indexOf(column);
    const [held = NaN, max = NaN, sum = NaN, missed = NaN] = at < 0 ? [] : this.averages.subarray(at, at + 4);
    return { held, max, sum, seconds: this.heldSeconds - missed };
  }

  /** Begins an average, after some seconds with readings of 0. */
  private restartAverage(index: number, held: number, zeroSeconds: number): void {
    this.averages.set([held, -Infinity, 0, this.heldSeconds - zeroSeconds], 4 * index);
  }

  normalizedPower(): number {
    return this.power?.value() ?? NaN;
  }

  private convertedFirst(column: number): number {
    const source = this.sources[column] ?? column;
    return this.fromSource(source, this.first(source));
  }

  private fromSource(source: number, reading: number): number {
    if (source < STANDARD_KEYS.length) return reading;
    const developer = this.developerColumns[source - STANDARD_KEYS.length];
    return developer === undefined ? reading : converted(reading, developer.conversion);
  }

  private noteFirstReadings(time: number, row: Float64Array, missing: number[]): void {
    for (let i = missing.length - 1; i >= 0; i--) {
      const column = missing[i] ?? 0;
      const reading = row[column] ?? NaN;
      if (reading !== reading) continue;
      if (Number.isNaN(this.firsts[column])) this.firsts[column] = reading;
      if (reading === 0 && this.replacesColumn[column] !== NOTHING) {
        if (Number.isNaN(this.zeroSince[column])) {
          this.zeroSince[column] = this.heldSeconds;
          this.zeroFrom[column] = time;
        }
        continue;
      }
      this.isNotZero[column] = 1;
      const unneeded = this.replaceSource(column, time);
      missing.splice(i, 1);
      if (unneeded !== NOTHING) this.readerCounts[unneeded] = (this.readerCounts[unneeded] ?? 1) - 1;
    }
  }

  /**
   * Makes a column, at its first reading, the source of a standard column if it has priority over the current source:
   * the native field first, then developer fields in their order, as in `sourceOf`. Sums start again, because the new
   * source had no earlier reading other than 0. Returns the column whose readings are no longer needed.
   */
  private replaceSource(column: number, time: number): number {
    const standard = column < STANDARD_KEYS.length ? column : (this.replacesColumn[column] ?? NOTHING);
    if (standard === NOTHING || this.isSummed[standard] === 0) return column;
    const source = this.sources[standard] ?? standard;
    const isFirst = source === column || !this.has(source);
    if (!isFirst && source < column) return column;
    const since = this.zeroSince[column] ?? NaN;
    const zeroSeconds = Number.isNaN(since) ? 0 : this.heldSeconds - since;
    // The reading before this one was 0, or there was none.
    const held = Number.isNaN(since) ? NaN : 0;
    this.sources[standard] = column;
    this.hasReplacement ||= column !== standard;
    const index = this.averaged.indexOf(standard);
    if (index >= 0) {
      this.averagedSources[index] = column;
      this.restartAverage(index, held, zeroSeconds);
    }
    this.efforts.restart(standard, this.zeroFrom[column] ?? NaN, time);
    if (standard === POWER) {
      this.heldPower = held;
      this.power?.restart();
      this.power?.add(0, zeroSeconds);
    }
    if (standard === ALTITUDE) {
      this.heldAltitude = held;
      this.climb.restart();
    }
    if (standard === SPEED || standard === DISTANCE) this.movingSeconds = NaN;
    if (standard === SPEED) {
      this.heldSpeed = held;
      this.knownSpeed = held;
      this.maxSpeed = -Infinity;
    }
    if (standard === DISTANCE) {
      this.heldDistance = held;
      this.knownDistance = held;
    }
    return isFirst ? NOTHING : source;
  }

  /** Returns the seconds for which the held readings count, until the next row. */
  private durationUntil(time: number, row: Float64Array): number {
    let duration = time - this.heldFrom;
    if (!(duration >= 0)) return 1;
    if (time > this.nextPause) duration -= this.pausedUntil(time);
    if (duration <= GAP_SECONDS) return duration;
    return this.hasStopped(duration, row) ? 1 : Math.min(duration, this.longestHold);
  }

  /** Returns the seconds of the held readings in which the timer was stopped. */
  private pausedUntil(time: number): number {
    let paused = 0;
    for (; this.pause < this.pauses.length; this.pause++) {
      const { from, to } = this.pauses[this.pause] ?? { from: Infinity, to: Infinity };
      if (from >= time) break;
      this.efforts.stop(from);
      paused += Math.max(0, Math.min(to, time) - Math.max(from, this.heldFrom));
      if (to > time) break;
    }
    this.nextPause = this.pauses[this.pause]?.from ?? Infinity;
    return paused;
  }

  /** Returns whether a device that was moving before a gap in the records has not moved in it. */
  private hasStopped(duration: number, row: Float64Array): boolean {
    const covered = this.readingOf(DISTANCE, row) - this.knownDistance;
    return this.knownSpeed >= MOVING_METERS_PER_SECOND && covered < MOVING_METERS_PER_SECOND * duration;
  }

  /** Returns a row's reading of a standard column, from its source. */
  private readingOf(column: number, row: Float64Array): number {
    const source = this.sources[column] ?? column;
    const reading = row[source] ?? NaN;
    return source === column ? reading : this.fromSource(source, reading);
  }

  /** Holds the readings of a row. The common case is short, so that the compiler can inline it. */
  private holdReadings(time: number, row: Float64Array): void {
    if (this.hasReplacement) this.holdReplacements(time, row);
    else {
      this.holdAveraged(time, row);
      this.heldHeartRate = row[HEART_RATE] ?? NaN;
      this.heldPower = row[POWER] ?? NaN;
      this.heldSpeed = row[SPEED] ?? NaN;
      this.heldAltitude = row[ALTITUDE] ?? NaN;
      this.heldDistance = row[DISTANCE] ?? NaN;
    }
    if (this.heldSpeed === this.heldSpeed) {
      this.knownSpeed = this.heldSpeed;
      this.knownSpeedFrom = time;
    } else if (!(time - this.knownSpeedFrom < SPEED_HOLD_SECONDS)) this.knownSpeed = NaN;
    const last = row[row.length - LAST_DISTANCE] ?? NaN;
    if (last === last) this.lastDistance = last;
    if (this.heldDistance === this.heldDistance) {
      this.knownDistance = this.heldDistance;
      this.unknownSeconds = 0;
      if (last !== last) this.lastDistance = this.heldDistance;
    }
  }

  /** Some devices write a record for each sensor: a reading holds over records without one, for a few seconds. */
  private holdAveraged(time: number, row: Float64Array): void {
    const { averages, averagedSources, averagedFrom } = this;
    for (let i = 0; i < averagedSources.length; i++) {
      const reading = row[averagedSources[i] ?? 0] ?? NaN;
      if (reading === reading) {
        averages[4 * i] = reading;
        averagedFrom[i] = time;
      } else if (!(time - (averagedFrom[i] ?? NaN) < GAP_SECONDS)) averages[4 * i] = NaN;
    }
  }

  /** Holds readings where some come from developer fields, which may have other units. */
  private holdReplacements(time: number, row: Float64Array): void {
    this.holdAveraged(time, row);
    const { averages, averagedSources } = this;
    for (let i = 0; i < averagedSources.length; i++) {
      const source = averagedSources[i] ?? 0;
      const reading = row[source] ?? NaN;
      if (reading === reading) averages[4 * i] = this.fromSource(source, reading);
    }
    this.heldHeartRate = this.readingOf(HEART_RATE, row);
    this.heldPower = this.readingOf(POWER, row);
    this.heldSpeed = this.readingOf(SPEED, row);
    this.heldAltitude = this.readingOf(ALTITUDE, row);
    this.heldDistance = this.readingOf(DISTANCE, row);
  }

  /** Counts the held readings. `next` is the row after them, null at the end. */
  private countHeldReadings(duration: number, next: Float64Array | null): void {
    this.heldSeconds += duration;
    const { averages, averaged } = this;
    for (let i = 0, at = 0; i < averaged.length; i++, at += 4) {
      const reading = averages[at] ?? NaN;
      if (reading > (averages[at + 1] ?? 0)) averages[at + 1] = reading;
      // On a bike, devices average cadence over the time with pedalling.
      if (reading !== reading || (reading === 0 && averaged[i] === CADENCE && !this.countsZeroCadence)) {
        averages[at + 3] = (averages[at + 3] ?? 0) + duration;
      } else averages[at + 2] = (averages[at + 2] ?? 0) + reading * duration;
    }
    if (this.power !== null) this.power.add(this.averages[this.powerAt] ?? NaN, duration);
    if (this.sumsSpeed) this.addMovement(duration, next);
    if (this.sumsAltitude) this.climb.add(this.heldAltitude);
  }

  private addMovement(duration: number, next: Float64Array | null): void {
    const { heldSpeed, knownSpeed } = this;
    if (heldSpeed > this.maxSpeed) this.maxSpeed = heldSpeed;
    if (knownSpeed === knownSpeed) {
      this.countMovement(knownSpeed >= MOVING_METERS_PER_SECOND ? duration : 0);
    } else if (next !== null && this.sumsDistance) this.addCovered(duration, next);
  }

  /** Adds movement without a speed: the next distance shows it. */
  private addCovered(duration: number, next: Float64Array): void {
    this.unknownSeconds += duration;
    const covered = this.readingOf(DISTANCE, next) - this.knownDistance;
    if (Number.isNaN(covered)) return;
    this.countMovement(covered >= MOVING_METERS_PER_SECOND * this.unknownSeconds ? this.unknownSeconds : 0);
  }

  private countMovement(seconds: number): void {
    if (this.movingSeconds !== this.movingSeconds) this.movingSeconds = 0;
    this.movingSeconds += seconds;
  }
}

/** Smaller changes of altitude are noise of barometers and receivers. */
const CLIMB_STEP_METERS = 3;

/**
 * Ascent and descent from valley to peak. A peak or valley counts when the altitude has changed by the step since, so that
 * noise does not add up and the height between peak and valley counts in full.
 */
export class Climb {
  ascent = NaN;
  descent = NaN;
  /** Altitude up to which climbs are counted. */
  private counted = NaN;
  /** Highest or lowest altitude since then, by direction. */
  private extreme = NaN;
  /** 1 while climbing, -1 while descending, 0 before the first step. */
  private direction = 0;

  restart(): void {
    this.ascent = NaN;
    this.descent = NaN;
    this.counted = NaN;
    this.direction = 0;
  }

  add(altitude: number): void {
    if (altitude !== altitude) return;
    if (this.counted !== this.counted) {
      this.counted = altitude;
      this.extreme = altitude;
      this.ascent = 0;
      this.descent = 0;
      return;
    }
    const change = altitude - this.extreme;
    if (this.direction === 0) {
      this.start(altitude);
    } else if (change * this.direction >= 0) {
      this.extreme = altitude;
      if (this.direction > 0) this.ascent += change;
      else this.descent -= change;
    } else if (Math.abs(change) >= CLIMB_STEP_METERS) {
      this.direction = -this.direction;
      this.extreme = altitude;
      if (change > 0) this.ascent += change;
      else this.descent -= change;
    }
  }

  /** Finds the first direction. Until then `counted` and `extreme` are the lowest and highest altitude. */
  private start(altitude: number): void {
    const low = Math.min(this.counted, altitude);
    const high = Math.max(this.extreme, altitude);
    this.counted = low;
    this.extreme = high;
    if (high - low < CLIMB_STEP_METERS) return;
    this.direction = altitude === high ? 1 : -1;
    this.extreme = altitude;
    if (this.direction > 0) this.ascent = high - low;
    else this.descent = high - low;
  }
}

/** Fourth root of the mean fourth power of the 30-second rolling average of power. */
class NormalizedPower {
  private readonly window = new Float64Array(ROLLING_SECONDS);
  /** Index of the next second in the window. */
  private place = 0;
  private seen = 0;
  private sum = 0;
  private fourths = 0;

  restart(): void {
    this.window.fill(0);
    this.place = 0;
    this.seen = 0;
    this.sum = 0;
    this.fourths = 0;
  }

  add(watts: number, duration: number): void {
    if (watts !== watts) return;
    const seconds = duration === 1 ? 1 : Math.round(duration);
    for (let second = 0; second < seconds; second++) {
      // The window holds this power only: the average stays the same.
      if (second === ROLLING_SECONDS) {
        this.seen += seconds - second;
        this.fourths += (seconds - second) * watts ** 4;
        return;
      }
      this.sum += watts - (this.window[this.place] ?? 0);
      this.window[this.place] = watts;
      this.place = this.place + 1 === ROLLING_SECONDS ? 0 : this.place + 1;
      this.seen++;
      if (this.seen >= ROLLING_SECONDS) {
        const average = this.sum / ROLLING_SECONDS;
        const square = average * average;
        this.fourths += square * square;
      }
    }
  }

  /** Returns NaN for less than one window. */
  value(): number {
    const windows = this.seen - ROLLING_SECONDS + 1;
    return windows > 0 ? (this.fourths / windows) ** 0.25 : NaN;
  }
}
