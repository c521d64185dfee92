import { ALTITUDE, CADENCE, POWER, SPEED, STANDARD_KEYS, type DeveloperColumn } from "./columns.ts";

/** Between records further apart than this the device paused; smart recording stays below it. */
const LONGEST_HOLD_SECONDS = 10;
/** Slower than this is standing: a slow walk is twice as fast. */
const MOVING_METERS_PER_SECOND = 0.5;
/** Altitude must change by this much to count: less is the noise of barometers and receivers. */
const CLIMB_STEP_METERS = 3;
/** Window and power of the normalized power formula (Allen and Coggan, Training and Racing with a Power Meter). */
const ROLLING_SECONDS = 30;
/** Stands for no column. */
const NOTHING = -1;

/**
 * What an activity's rows add up to, for the fields that its session lacks: one pass, no row kept. A
 * reading holds until the next row, or for one second before a pause, so that averages are over time.
 */
export class Totals {
  rows = 0;
  /** Seconds since the start at the last row. */
  lastTime = 0;
  movingSeconds = NaN;
  ascent = NaN;
  descent = NaN;
  /** The standard columns to add up. */
  private readonly summed: Int32Array;
  private readonly standsInFor: Int32Array;
  /** Columns without a reading so far. */
  private readonly missing: number[];
  private readonly wanted: Uint16Array;
  /** Of every column. */
  private readonly firsts: Float64Array;
  /** Of every standard column: the column that its readings come from, as far as is known, and what those add up to. */
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
   * Adds up the standard columns of `summed`, from the developer fields that stand in for them where need be; of
   * the other columns only the first reading counts. `wanted` has for each column how many activities still want
   * its readings; this one takes itself off.
   */
  constructor(
    summed: readonly number[],
    developerColumns: readonly DeveloperColumn[],
    wanted: Uint16Array,
    normalizesPower: boolean,
  ) {
    const standard = Array.from(STANDARD_KEYS.keys());
    this.summed = Int32Array.from(summed);
    this.standsInFor = Int32Array.from([
      ...standard,
      ...developerColumns.map(({ standsInFor }) => standsInFor ?? NOTHING),
    ]);
    this.missing = Array.from(wanted.keys());
    this.wanted = wanted;
    this.firsts = new Float64Array(wanted.length).fill(NaN);
    this.sources = Int32Array.from(standard);
    this.power = normalizesPower ? new NormalizedPower() : null;
  }

  add(time: number, row: Float64Array): void {
    if (this.rows > 0) this.release(time);
    this.rows++;
    this.heldFrom = time;
    if (!Number.isNaN(time)) this.lastTime = time;
    if (this.missing.length > 0) this.notice(row);
    const { held, sources } = this;
    for (const column of this.summed) held[column] = row[sources[column] ?? column] ?? NaN;
  }

  /** To be called after the last row. */
  finish(): void {
    if (this.rows > 0) this.release(NaN);
  }

  has(column: number): boolean {
    return !Number.isNaN(this.first(column));
  }

  first(column: number): number {
    return this.firsts[column] ?? NaN;
  }

  /** Last minus first reading of a standard column. */
  span(column: number): number {
    return (this.lasts[column] ?? NaN) - this.first(this.sources[column] ?? column);
  }

  max(column: number): number {
    return this.maxima[column] ?? NaN;
  }

  average(column: number): number {
    return (this.sums[column] ?? NaN) / (this.seconds[column] ?? NaN);
  }

  /** Readings times seconds: joules, for watts. */
  integral(column: number): number {
    return this.has(this.sources[column] ?? column) ? (this.sums[column] ?? NaN) : NaN;
  }

  normalizedPower(): number {
    return this.power?.value() ?? NaN;
  }

  private notice(row: Float64Array): void {
    for (let i = this.missing.length - 1; i >= 0; i--) {
      const column = this.missing[i] ?? 0;
      const reading = row[column] ?? NaN;
      if (Number.isNaN(reading)) continue;
      const outdone = this.replaceSource(column);
      this.firsts[column] = reading;
      this.missing.splice(i, 1);
      if (outdone !== NOTHING) this.wanted[outdone] = (this.wanted[outdone] ?? 1) - 1;
    }
  }

  /**
   * Makes a column with its first reading the source of a standard column, if it goes before the one that is: the
   * native field first, then developer fields in their order, as `sourceOf` has it. A column that goes before has
   * no earlier reading, so its sums begin here. Returns a column whose readings are no longer wanted.
   */
  private replaceSource(column: number): number {
    const standard = this.standsInFor[column] ?? NOTHING;
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

  /** Counts the readings that held until `time`. */
  private release(time: number): void {
    const gap = time - this.heldFrom;
    const duration = gap >= 0 && gap <= LONGEST_HOLD_SECONDS ? gap : 1;
    const { held, lasts, maxima, sums, seconds } = this;
    for (const column of this.summed) {
      const reading = held[column] ?? NaN;
      if (Number.isNaN(reading)) continue;
      lasts[column] = reading;
      if (!(reading <= (maxima[column] ?? NaN))) maxima[column] = reading;
      // An average cadence is that of the time with movement, as devices show it.
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

/** The fourth root of the mean fourth power of the 30-second rolling average of power. */
class NormalizedPower {
  private readonly window = new Float64Array(ROLLING_SECONDS);
  /** Of the next second in the window. */
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

  /** NaN until there is a whole window. */
  value(): number {
    const windows = this.seen - ROLLING_SECONDS + 1;
    return windows > 0 ? (this.fourths / windows) ** 0.25 : NaN;
  }
}
