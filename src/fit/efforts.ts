import { HEART_RATE, POWER, SPEED } from "./columns.ts";
import {
  EFFORT_DECIMALS,
  EFFORT_SECONDS,
  EffortTracker,
  ROW_COLUMNS,
  type BestEfforts,
  type EffortBudget,
} from "./bestEfforts.ts";
import { HeartRateHistogram } from "./heartRateHistogram.ts";
import { GAP_SECONDS } from "./recordRuns.ts";

/** A length of a pool on the timeline of its session. */
export interface SwumLength {
  readonly from: number;
  readonly to: number;
  /** 0 for a rest. */
  readonly metersPerSecond: number;
}

/** Columns whose readings efforts need. Distance replaces a speed that no record has. */
export const EFFORT_COLUMNS: readonly number[] = [HEART_RATE, POWER, SPEED];

/** Rows are followed in batches, in one loop per quantity. */
const BATCH_ROWS = 128;
/** Columns of a batch after the seconds. */
const BATCH_HEART_RATE = 1;
const BATCH_POWER = 2;
const BATCH_SPEED = 3;

/** Follows the efforts of one activity, row by row. */
export class Efforts {
  private readonly heartRate: EffortTracker;
  private readonly power: EffortTracker;
  private readonly speed: EffortTracker;
  private heldDistance = NaN;
  private heldDistanceFrom = NaN;

  private readonly batch = new Float64Array(ROW_COLUMNS * BATCH_ROWS);
  private rows = 0;
  private readonly lengths: readonly SwumLength[];

  constructor(budget: EffortBudget, lengths: readonly SwumLength[]) {
    this.lengths = lengths;
    this.heartRate = new EffortTracker(budget, true, new HeartRateHistogram());
    this.power = new EffortTracker(budget, false);
    this.speed = new EffortTracker(budget, false);
    for (const { from, to, metersPerSecond } of lengths) this.speed.addSeconds(from, to, metersPerSecond);
  }

  add(time: number, heartRate: number, power: number, speed: number): void {
    const { batch, rows } = this;
    batch[rows] = Math.floor(time);
    batch[BATCH_HEART_RATE * BATCH_ROWS + rows] = heartRate;
    batch[BATCH_POWER * BATCH_ROWS + rows] = power;
    batch[BATCH_SPEED * BATCH_ROWS + rows] = speed;
    this.rows = rows + 1;
    if (rows + 1 === BATCH_ROWS) this.followBatch();
  }

  private followBatch(): void {
    const { batch, rows } = this;
    this.rows = 0;
    this.heartRate.addRows(batch, rows, BATCH_HEART_RATE);
    this.power.addRows(batch, rows, BATCH_POWER);
    if (this.lengths.length === 0) this.speed.addRows(batch, rows, BATCH_SPEED);
  }

  /** Adds a distance of an activity without speeds. The average speed since the last distance held since then. */
  addDistance(time: number, distance: number): void {
    if (this.lengths.length > 0 || distance !== distance) return;
    const seconds = time - this.heldDistanceFrom;
    if (seconds <= 0) return;
    const speed = (distance - this.heldDistance) / seconds;
    if (speed >= 0 && seconds <= GAP_SECONDS) this.speed.addSeconds(this.heldDistanceFrom, time, speed);
    this.heldDistance = distance;
    this.heldDistanceFrom = time;
  }

  /** Ends the held readings at the start of a pause. */
  stop(time: number): void {
    this.followBatch();
    this.heartRate.stop(time);
    this.power.stop(time);
    this.speed.stop(time);
  }

  /** Forgets the readings of a column, except that they were 0 since `zeroFrom` up to `time`; NaN without any. */
  restart(column: number, zeroFrom: number, time: number): void {
    this.followBatch();
    if (column === HEART_RATE) this.heartRate.restart(NaN, time);
    if (column === POWER) this.power.restart(zeroFrom, time);
    if (column === SPEED && this.lengths.length === 0) this.speed.restart(zeroFrom, time);
  }

  finish(): void {
    this.followBatch();
    this.heartRate.finish();
    this.power.finish();
    this.speed.finish();
  }

  best(): BestEfforts {
    const speeds = this.speed.averages(EFFORT_DECIMALS.speed_in_meters_per_second);
    return {
      durations_in_seconds: [...EFFORT_SECONDS],
      power_in_watts: this.power.averages(EFFORT_DECIMALS.power_in_watts),
      heart_rate_in_beats_per_minute: this.heartRate.averages(EFFORT_DECIMALS.heart_rate_in_beats_per_minute),
      speed_in_meters_per_second: this.lengths.length === 0 ? speeds : this.withoutPartsOfLengths(speeds),
    };
  }

  /** Number of seconds with power. */
  powerSeconds(): number {
    return this.power.seconds;
  }

  heartRateHistogram(): string {
    return String(this.heartRate.histogram ?? "");
  }

  /** Leaves out durations shorter than the fastest length, because a pool swim has only one speed for each length. */
  private withoutPartsOfLengths(speeds: BestEfforts["speed_in_meters_per_second"]) {
    const swum = this.lengths.filter(({ metersPerSecond }) => metersPerSecond > 0);
    const shortest = Math.min(...swum.map(({ from, to }) => to - from));
    const whole = (speeds ?? []).map((speed, i) => ((EFFORT_SECONDS[i] ?? 0) < shortest ? null : speed));
    return whole.some((speed) => speed !== null) ? whole : null;
  }
}
