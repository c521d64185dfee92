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
  private readonly counts: Float64Array;
  private readonly firsts: Float64Array;
  private readonly lasts: Float64Array;
  private readonly maxima: Float64Array;
  private readonly sums: Float64Array;
  private readonly seconds: Float64Array;
  private readonly previous: Float64Array;
  private readonly powers: Map<number, NormalizedPower>;
  private previousTime = NaN;
  private climbFrom = NaN;

  /** `powerColumns`: those that a normalized power may be asked of. */
  constructor(columns: number, powerColumns: readonly number[]) {
    this.counts = new Float64Array(columns);
    this.firsts = new Float64Array(columns).fill(NaN);
    this.lasts = new Float64Array(columns).fill(NaN);
    this.maxima = new Float64Array(columns).fill(-Infinity);
    this.sums = new Float64Array(columns);
    this.seconds = new Float64Array(columns);
    this.previous = new Float64Array(columns).fill(NaN);
    this.powers = new Map(powerColumns.map((column) => [column, new NormalizedPower()]));
  }

  add(time: number, row: Float64Array): void {
    if (this.rows > 0) this.hold(time);
    this.rows++;
    this.previous.set(row);
    this.previousTime = time;
    if (!Number.isNaN(time)) this.lastTime = time;
  }

  /** To be called after the last row. */
  finish(): void {
    if (this.rows > 0) this.hold(NaN);
  }

  has(column: number): boolean {
    return (this.counts[column] ?? 0) > 0;
  }

  first(column: number): number {
    return this.firsts[column] ?? NaN;
  }

  /** Last minus first reading. */
  span(column: number): number {
    return (this.lasts[column] ?? NaN) - this.first(column);
  }

  max(column: number): number {
    return this.has(column) ? (this.maxima[column] ?? NaN) : NaN;
  }

  average(column: number): number {
    return (this.sums[column] ?? NaN) / (this.seconds[column] ?? NaN);
  }

  /** Readings times seconds: joules, for watts. */
  integral(column: number): number {
    return this.has(column) ? (this.sums[column] ?? NaN) : NaN;
  }

  normalizedPower(column: number): number {
    return this.powers.get(column)?.value() ?? NaN;
  }

  /** Counts the previous row, which held until `time`. */
  private hold(time: number): void {
    const gap = time - this.previousTime;
    const held = gap >= 0 && gap <= LONGEST_HOLD_SECONDS ? gap : 1;
    const { previous, counts, firsts, lasts, maxima, sums, seconds } = this;
    for (let column = 0; column < previous.length; column++) {
      const reading = previous[column] ?? NaN;
      if (Number.isNaN(reading)) continue;
      const count = counts[column] ?? 0;
      if (count === 0) firsts[column] = reading;
      counts[column] = count + 1;
      lasts[column] = reading;
      if (reading > (maxima[column] ?? NaN)) maxima[column] = reading;
      // An average cadence is that of the time with movement, as devices show it.
      if (column === CADENCE && reading === 0) continue;
      sums[column] = (sums[column] ?? 0) + reading * held;
      seconds[column] = (seconds[column] ?? 0) + held;
    }
    for (const [column, power] of this.powers) power.add(previous[column] ?? NaN, held);
    this.addMovement(previous[SPEED] ?? NaN, held);
    this.addClimb(previous[ALTITUDE] ?? NaN);
  }

  private addMovement(speed: number, held: number): void {
    if (Number.isNaN(speed)) return;
    if (Number.isNaN(this.movingSeconds)) this.movingSeconds = 0;
    if (speed >= MOVING_METERS_PER_SECOND) this.movingSeconds += held;
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
