import { ALTITUDE, CADENCE, POWER, SPEED, STANDARD_KEYS, type DeveloperColumn } from "./columns.ts";

/** Longest time that a reading holds. A longer gap between records is a pause; smart recording stays below it. */
const LONGEST_HOLD_SECONDS = 10;
/** Slower counts as standing. A slow walk is twice as fast. */
const MOVING_METERS_PER_SECOND = 0.5;
/** Smaller changes of altitude are noise of barometers and receivers. */
const CLIMB_STEP_METERS = 3;
/** Window of the normalized power formula (Allen and Coggan, Training and Racing with a Power Meter). */
const ROLLING_SECONDS = 30;
/** No column. */
const NOTHING = -1;

/**
 * Computes sums, averages and extremes of an activity's rows for the fields that its session lacks, in one pass without
 * keeping rows. A reading holds until the next row, or for one second before a pause, so that averages are over time.
 */
export class Totals {
  rows = 0;
  /** Seconds since the start at the last row. */
  lastTime = 0;
  movingSeconds = NaN;
  ascent = NaN;
  descent = NaN;
  /** Standard columns to sum up. */
  private readonly summed: Int32Array;
  private readonly replacesColumn: Int32Array;
  /** Columns without a reading so far. */
  private readonly missing: number[];
  private readonly readerCounts: Uint16Array;
  /** First reading of every column. */
  private readonly firsts: Float64Array;
  /** For each standard column: the column that its readings come from so far, and results over those. */
  private readonly sources: Int32Array;
  private readonly lasts = new Float64Array(STANDARD_KEYS.length).fill(NaN);
  private readonly maxima = new Float64Array(STANDARD_KEYS.length).fill(NaN);
  private readonly sums = new Float64Array(STANDARD_KEYS.length);
  private readonly seconds = new Float64Array(STANDARD_KEYS.length);
  private readonly held = new Float64Array(STANDARD_KEYS.length).fill(NaN);
  private power: NormalizedPower | null;
  private heldFrom = NaN;
  private climbFrom = NaN;

  /**
   * `summed` lists the standard columns to sum up, from replacing developer fields if necessary. Only the first reading
   * of other columns is needed. `readerCounts` has the number of activities that still need each column's readings;
   * this object decrements it when it needs no more.
   */
  constructor(
    summed: readonly number[],
    developerColumns: readonly DeveloperColumn[],
    readerCounts: Uint16Array,
    normalizesPower: boolean,
  ) {
    const standard = Array.from(STANDARD_KEYS.keys());
    this.summed = Int32Array.from(summed);
    this.replacesColumn = Int32Array.from([
      ...standard,
      ...developerColumns.map(({ replacesColumn }) => replacesColumn ?? NOTHING),
    ]);
    this.missing = Array.from(readerCounts.keys());
    this.readerCounts = readerCounts;
    this.firsts = new Float64Array(readerCounts.length).fill(NaN);
    this.sources = Int32Array.from(standard);
    this.power = normalizesPower ? new NormalizedPower() : null;
  }

  add(time: number, row: Float64Array): void {
    if (this.rows > 0) this.countHeldReadings(time);
    this.rows++;
    this.heldFrom = time;
    if (!Number.isNaN(time)) this.lastTime = time;
    if (this.missing.length > 0) this.noteFirstReadings(row);
    const { held, sources } = this;
    for (const column of this.summed) held[column] = row[sources[column] ?? column] ?? NaN;
  }

  /** Counts the last row. Call it after the last row. */
  finish(): void {
    if (this.rows > 0) this.countHeldReadings(NaN);
  }

  has(column: number): boolean {
    return !Number.isNaN(this.first(column));
  }

  first(column: number): number {
    return this.firsts[column] ?? NaN;
  }

  /** Returns the last minus the first reading of a standard column. */
  span(column: number): number {
    return (this.lasts[column] ?? NaN) - this.first(this.sources[column] ?? column);
  }

  max(column: number): number {
    return this.maxima[column] ?? NaN;
  }

  average(column: number): number {
    return (this.sums[column] ?? NaN) / (this.seconds[column] ?? NaN);
  }

  /** Returns the integral over time: joules for watts. */
  integral(column: number): number {
    return this.has(this.sources[column] ?? column) ? (this.sums[column] ?? NaN) : NaN;
  }

  normalizedPower(): number {
    return this.power?.value() ?? NaN;
  }

  private noteFirstReadings(row: Float64Array): void {
    for (let i = this.missing.length - 1; i >= 0; i--) {
      const column = this.missing[i] ?? 0;
      const reading = row[column] ?? NaN;
      if (Number.isNaN(reading)) continue;
      const unneeded = this.replaceSource(column);
      this.firsts[column] = reading;
      this.missing.splice(i, 1);
      if (unneeded !== NOTHING) this.readerCounts[unneeded] = (this.readerCounts[unneeded] ?? 1) - 1;
    }
  }

  /**
   * Makes a column, at its first reading, the source of a standard column if it has priority over the current source:
   * the native field first, then developer fields in their order, as in `sourceOf`. Sums start again, because the new
   * source had no earlier reading. Returns the column whose readings are no longer needed.
   */
  private replaceSource(column: number): number {
    const standard = this.replacesColumn[column] ?? NOTHING;
    if (standard === NOTHING || !this.summed.includes(standard)) return column;
    const source = this.sources[standard] ?? standard;
    const isFirst = !this.has(source);
    if (!isFirst && source < column) return column;
    this.sources[standard] = column;
    this.lasts[standard] = NaN;
    this.maxima[standard] = NaN;
    this.sums[standard] = 0;
    this.seconds[standard] = 0;
    if (standard === POWER && this.power !== null) this.power = new NormalizedPower();
    return isFirst ? NOTHING : source;
  }

  /** Counts the readings that were held until `time`. */
  private countHeldReadings(time: number): void {
    const gap = time - this.heldFrom;
    const duration = gap >= 0 && gap <= LONGEST_HOLD_SECONDS ? gap : 1;
    const { held, lasts, maxima, sums, seconds } = this;
    for (const column of this.summed) {
      const reading = held[column] ?? NaN;
      if (Number.isNaN(reading)) continue;
      lasts[column] = reading;
      if (!(reading <= (maxima[column] ?? NaN))) maxima[column] = reading;
      // Devices average cadence over the time with pedalling.
      if (column === CADENCE && reading === 0 && this.isNative(CADENCE)) continue;
      sums[column] = (sums[column] ?? 0) + reading * duration;
      seconds[column] = (seconds[column] ?? 0) + duration;
    }
    this.power?.add(held[POWER] ?? NaN, duration);
    if (this.isNative(SPEED)) this.addMovement(held[SPEED] ?? NaN, duration);
    if (this.isNative(ALTITUDE)) this.addClimb(held[ALTITUDE] ?? NaN);
  }

  private isNative(column: number): boolean {
    return this.sources[column] === column;
  }

  private addMovement(speed: number, duration: number): void {
    if (Number.isNaN(speed)) return;
    if (Number.isNaN(this.movingSeconds)) this.movingSeconds = 0;
    if (speed >= MOVING_METERS_PER_SECOND) this.movingSeconds += duration;
  }

  private addClimb(altitude: number): void {
    if (Number.isNaN(altitude)) return;
    if (Number.isNaN(this.climbFrom)) {
      this.climbFrom = altitude;
      this.ascent = 0;
      this.descent = 0;
    }
    const change = altitude - this.climbFrom;
    if (Math.abs(change) < CLIMB_STEP_METERS) return;
    if (change > 0) this.ascent += change;
    else this.descent -= change;
    this.climbFrom = altitude;
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

  add(watts: number, seconds: number): void {
    if (Number.isNaN(watts)) return;
    for (let second = 0; second < seconds; second++) {
      this.sum += watts - (this.window[this.place] ?? 0);
      this.window[this.place] = watts;
      this.place = this.place + 1 === ROLLING_SECONDS ? 0 : this.place + 1;
      this.seen++;
      if (this.seen >= ROLLING_SECONDS) {
        const square = (this.sum / ROLLING_SECONDS) ** 2;
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
