import { ALTITUDE, CADENCE, SPEED } from "./columns.ts";

/** Between records further apart than this the device paused; smart recording stays below it. */
const LONGEST_HOLD_SECONDS = 10;
/** Slower than this is standing: a slow walk is twice as fast. */
const MOVING_METERS_PER_SECOND = 0.5;
/** Altitude must change by this much to count: less is the noise of barometers and receivers. */
const CLIMB_STEP_METERS = 3;
/** Window and power of the normalized power formula (Allen and Coggan, Training and Racing with a Power Meter). */
const ROLLING_SECONDS = 30;

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
  private readonly summed: Int32Array;
  /** Columns without a reading so far. */
  private readonly missing: number[];
  private readonly wanted: Uint16Array;
  private readonly firsts: Float64Array;
  private readonly lasts: Float64Array;
  private readonly maxima: Float64Array;
  private readonly sums: Float64Array;
  private readonly seconds: Float64Array;
  private readonly held: Float64Array;
  private readonly power: readonly { readonly column: number; readonly normalized: NormalizedPower }[];
  private heldFrom = NaN;
  private climbFrom = NaN;

  /**
   * Adds up the columns of `summed`; of the others only the first reading counts. `wanted` has for each
   * column how many activities still want its readings; this one takes itself off.
   */
  constructor(summed: readonly number[], powerColumns: readonly number[], wanted: Uint16Array) {
    const columns = wanted.length;
    this.summed = Int32Array.from(summed);
    this.missing = Array.from(wanted.keys());
    this.wanted = wanted;
    this.firsts = new Float64Array(columns).fill(NaN);
    this.lasts = new Float64Array(columns).fill(NaN);
    this.maxima = new Float64Array(columns).fill(NaN);
    this.sums = new Float64Array(columns);
    this.seconds = new Float64Array(columns);
    this.held = new Float64Array(columns).fill(NaN);
    this.power = powerColumns.map((column) => ({ column, normalized: new NormalizedPower() }));
  }

  add(time: number, row: Float64Array): void {
    if (this.rows > 0) this.release(time);
    this.rows++;
    this.heldFrom = time;
    if (!Number.isNaN(time)) this.lastTime = time;
    for (const column of this.summed) this.held[column] = row[column] ?? NaN;
    if (this.missing.length > 0) this.notice(row);
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

  /** Last minus first reading. */
  span(column: number): number {
    return (this.lasts[column] ?? NaN) - this.first(column);
  }

  max(column: number): number {
    return this.maxima[column] ?? NaN;
  }

  average(column: number): number {
    return (this.sums[column] ?? NaN) / (this.seconds[column] ?? NaN);
  }

  /** Readings times seconds: joules, for watts. */
  integral(column: number): number {
    return this.has(column) ? (this.sums[column] ?? NaN) : NaN;
  }

  normalizedPower(column: number): number {
    return this.power.find((power) => power.column === column)?.normalized.value() ?? NaN;
  }

  private notice(row: Float64Array): void {
    for (let i = this.missing.length - 1; i >= 0; i--) {
      const column = this.missing[i] ?? 0;
      const reading = row[column] ?? NaN;
      if (Number.isNaN(reading)) continue;
      this.firsts[column] = reading;
      this.missing.splice(i, 1);
      if (!this.summed.includes(column)) this.wanted[column] = (this.wanted[column] ?? 1) - 1;
    }
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
      if (column === CADENCE && reading === 0) continue;
      sums[column] = (sums[column] ?? 0) + reading * duration;
      seconds[column] = (seconds[column] ?? 0) + duration;
    }
    for (const { column, normalized } of this.power) normalized.add(held[column] ?? NaN, duration);
    this.addMovement(held[SPEED] ?? NaN, duration);
    this.addClimb(held[ALTITUDE] ?? NaN);
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
  private seen = 0;
  private sum = 0;
  private fourths = 0;

  add(watts: number, seconds: number): void {
    if (Number.isNaN(watts)) return;
    for (let second = 0; second < seconds; second++) {
      const place = this.seen % ROLLING_SECONDS;
      this.sum += watts - (this.window[place] ?? 0);
      this.window[place] = watts;
      this.seen++;
      if (this.seen >= ROLLING_SECONDS) this.fourths += (this.sum / ROLLING_SECONDS) ** 4;
    }
  }

  /** NaN until there is a whole window. */
  value(): number {
    const windows = this.seen - ROLLING_SECONDS + 1;
    return windows > 0 ? (this.fourths / windows) ** 0.25 : NaN;
  }
}
