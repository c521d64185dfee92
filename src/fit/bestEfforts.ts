import type { HeartRateHistogram } from "./heartRateHistogram.ts";
import { GAP_SECONDS } from "./recordRuns.ts";
import { rounded } from "./values.ts";

/** Durations of best efforts. */
export const EFFORT_SECONDS = [5, 30, 60, 300, 600, 1200, 3600] as const;
const LONGEST_EFFORT_SECONDS = 3600;

/** Best averages by duration, in the order of `EFFORT_SECONDS`. Null for a duration without one; a list is null without any. */
export interface BestEfforts {
  durations_in_seconds: number[];
  power_in_watts: (number | null)[] | null;
  heart_rate_in_beats_per_minute: (number | null)[] | null;
  speed_in_meters_per_second: (number | null)[] | null;
}
export const EFFORT_DECIMALS = {
  power_in_watts: 0,
  heart_rate_in_beats_per_minute: 0,
  speed_in_meters_per_second: 3,
} as const satisfies Record<Exclude<keyof BestEfforts, "durations_in_seconds">, number>;
export type EffortQuantity = keyof typeof EFFORT_DECIMALS;

/** Maximum share of the seconds of an effort without a reading. */
export const MAX_MISSING_SHARE = 0.1;
/** No effort extends over a longer gap. */
const STRETCH_END_SECONDS = LONGEST_EFFORT_SECONDS * MAX_MISSING_SHARE;
/** Longest time that a heart rate counts in the histogram. Some devices record once a minute. */
const HISTOGRAM_HOLD_SECONDS = 60;
/** Seconds that a tracker keeps, at first and at most. */
const MIN_KEPT_SECONDS = 256;
const MAX_KEPT_SECONDS = LONGEST_EFFORT_SECONDS + 4096;
/** Number of trackers of a file whose memory is used again for the next file: two sessions of three quantities. */
const MAX_REUSED = 6;
/** Smallest number of efforts that the search skips at once. Of longer efforts it skips a quarter or a sixteenth of their duration. */
const MIN_BLOCK = 4;
/** Maximum number of seconds of all efforts of a file: 38 days of three quantities. Later ones do not count. */
const MAX_SECONDS = 10_000_000;

/** Columns of the rows that a tracker reads: seconds and the quantities. */
export const ROW_COLUMNS = 4;

/** Memory of trackers. One file is decoded at a time, without a pause, and nothing of the file before is read. */
const reused: Float64Array<ArrayBuffer>[] = [];

/** Seconds that the efforts of all sessions of a file may still use, and their memory. */
export class EffortBudget {
  seconds = MAX_SECONDS;
  private taken = 0;

  /** Returns memory for `MAX_KEPT_SECONDS`, for as long as the budget is in use. Null when all is taken. */
  take(): Float64Array<ArrayBuffer> | null {
    if (this.taken === MAX_REUSED) return null;
    return (reused[this.taken++] ??= new Float64Array(MAX_KEPT_SECONDS));
  }
}

/**
 * Finds the best averages of one quantity of an activity on a grid of seconds since its start.
 *
 * A reading holds until the next one, for at most 10 s, and never into a pause: smart recording writes a record when
 * something changes. Other seconds are missing. An effort may miss a tenth of its seconds. A missing second counts as 0, as
 * GoldenCheetah fills gaps in its power curve (RideFileCache), so that no average is too high; a missing heart rate
 * counts as the one before. A gap of more than 6 minutes is in no effort.
 */
export class EffortTracker {
  /** Number of seconds with a reading. */
  seconds = 0;
  private heldFrom = NaN;
  private held = NaN;
  /** Start of a pause after the held reading. */
  private heldUntil = Infinity;
  /** For each second of the stretch the sum up to it; from `searched` on its reading. */
  private sums = new Float64Array(1);
  /** In the same way the number of missing seconds, 1 for a missing one. Null while none is missing. */
  private missing: Int32Array | null = null;
  private length = 0;
  private searched = 0;
  private lowest = Infinity;
  /** The last reading that holds for at least a second. */
  private counted = 0;
  private readonly best = new Float64Array(EFFORT_SECONDS.length).fill(-1);

  private readonly budget: EffortBudget;
  private readonly keepsMissing: boolean;
  readonly histogram: HeartRateHistogram | null;

  constructor(budget: EffortBudget, keepsMissing: boolean, histogram: HeartRateHistogram | null = null) {
    this.budget = budget;
    this.keepsMissing = keepsMissing;
    this.histogram = histogram;
  }

  /** Forgets all readings. The activity had only readings of 0 since `zeroFrom`, up to `time`; NaN without any. */
  restart(zeroFrom: number, time: number): void {
    this.seconds = 0;
    this.held = NaN;
    this.heldFrom = NaN;
    this.heldUntil = Infinity;
    this.best.fill(-1);
    this.histogram?.clear();
    this.startStretch();
    this.addSeconds(zeroFrom, time, 0);
  }

  /** Adds the readings of a column of some rows: whole seconds of all rows, then each column. Seconds never decrease. */
  addRows(rows: Float64Array, count: number, column: number): void {
    const first = (column * rows.length) / ROW_COLUMNS;
    for (let i = 0; i < count; i++) {
      i = this.addUsual(rows, i, count, first);
      const reading = rows[first + i] ?? NaN;
      if (i < count && reading === reading) this.add(rows[i] ?? NaN, reading);
    }
  }

  /**
   * Adds readings without a call for each, as long as every reading holds until the next one. Returns the index of the row
   * that ends this.
   */
  private addUsual(rows: Float64Array, from: number, count: number, first: number): number {
    const { sums, budget, histogram, length: start } = this;
    let { length, held, heldFrom } = this;
    if (held !== held || this.heldUntil !== Infinity) return from;
    const end = Math.min(sums.length - 1, length + budget.seconds);
    let i = from;
    for (; i < count; i++) {
      const reading = rows[first + i] ?? NaN;
      if (reading !== reading) continue;
      const second = rows[i] ?? NaN;
      const step = second - heldFrom;
      if (step === 0) continue;
      if (!(step > 0 && step <= GAP_SECONDS && length + step <= end)) break;
      if (step === 1) sums[++length] = held;
      else for (const last = length + step; length < last;) sums[++length] = held;
      if (histogram !== null) histogram.add(held, step);
      held = reading;
      heldFrom = second;
    }
    if (length === start) return i;
    this.counted = sums[length] ?? 0;
    this.length = length;
    this.seconds += length - start;
    budget.seconds -= length - start;
    this.held = held;
    this.heldFrom = heldFrom;
    return i;
  }

  private add(second: number, reading: number): void {
    if (second !== second || second < this.heldFrom) return;
    if (this.held === this.held) {
      // The first reading of a second counts.
      if (second === this.heldFrom) return;
      this.holdUntil(second);
    }
    this.heldFrom = second;
    this.held = reading;
    this.heldUntil = Infinity;
  }

  /** Ends the held reading at the start of a pause. */
  stop(time: number): void {
    if (time < this.heldUntil) this.heldUntil = time;
  }

  /** Adds seconds that all have the same reading, such as a length of a pool. Readings may follow at their end. */
  addSeconds(from: number, to: number, reading: number): void {
    const start = Math.max(Math.floor(from), this.heldFrom >= 0 ? this.heldFrom : 0);
    const end = Math.floor(to);
    if (!(end > start)) return;
    if (start > this.heldFrom) this.append(this.heldFrom, start, 0, 0);
    this.append(start, end, end - start, reading);
    this.heldFrom = end;
    this.held = NaN;
  }

  /** Counts the last reading, which holds for a second, and searches the rest. */
  finish(): void {
    if (this.held === this.held) this.holdUntil(this.heldFrom + 1);
    this.held = NaN;
    this.search();
  }

  /** Returns the best averages; null without any. */
  averages(decimals: number): (number | null)[] | null {
    const averages = EFFORT_SECONDS.map((duration, i) => {
      const best = this.best[i] ?? -1;
      return best < 0 ? null : rounded(best / duration, decimals);
    });
    return averages.some((average) => average !== null) ? averages : null;
  }

  private holdUntil(second: number): void {
    const from = this.heldFrom;
    const end = this.heldUntil < second ? Math.max(from, Math.floor(this.heldUntil)) : second;
    if (this.histogram !== null) this.histogram.add(this.held, Math.min(end - from, HISTOGRAM_HOLD_SECONDS));
    this.append(from, second, Math.min(end - from, GAP_SECONDS), this.held);
  }

  /** Adds the seconds from one time to another, of which the first ones have a reading. */
  private append(from: number, to: number, withReading: number, reading = this.held): void {
    this.budget.seconds -= to - from > STRETCH_END_SECONDS ? withReading : to - from;
    if (this.budget.seconds < 0) return;
    this.seconds += withReading;
    this.appendSeconds(withReading, reading);
    const missing = to - from - withReading;
    if (missing > STRETCH_END_SECONDS) {
      this.search();
      this.startStretch();
    } else {
      if (withReading > 0) this.counted = reading;
      if (missing > 0) this.appendMissing(missing);
    }
  }

  private appendSeconds(seconds: number, reading: number): void {
    for (let i = 0; i < seconds; i++) {
      if (this.length + 1 >= this.sums.length) this.makeRoom();
      this.sums[++this.length] = reading;
    }
  }

  private appendMissing(seconds: number): void {
    const filling = this.keepsMissing ? this.counted : 0;
    for (let i = 0; i < seconds; i++) {
      this.appendSeconds(1, filling);
      this.missing ??= new Int32Array(this.sums.length);
      this.missing[this.length] = 1;
    }
  }

  /** Searches the seconds so far, and keeps only those that a later effort can contain. */
  private makeRoom(): void {
    if (this.sums.length < MAX_KEPT_SECONDS) {
      const seconds = Math.min(MAX_KEPT_SECONDS, Math.max(MIN_KEPT_SECONDS, 2 * this.sums.length));
      this.sums = enlarged(this.sums, this.budget.take() ?? new Float64Array(seconds));
      if (this.missing !== null) this.missing = enlarged(this.missing, new Int32Array(this.sums.length));
      return;
    }
    this.search();
    const from = this.length - LONGEST_EFFORT_SECONDS;
    this.sums.copyWithin(0, from, this.length + 1);
    this.missing?.copyWithin(0, from, this.length + 1).fill(0, LONGEST_EFFORT_SECONDS + 1);
    this.length = LONGEST_EFFORT_SECONDS;
    this.searched = LONGEST_EFFORT_SECONDS;
  }

  private startStretch(): void {
    this.length = 0;
    this.searched = 0;
    this.sums[0] = 0;
    this.missing = null;
    this.lowest = Infinity;
  }

  /** Turns the readings that were not searched yet into sums. */
  private sumUp(): void {
    const { sums, missing, length, searched } = this;
    let { lowest } = this;
    let sum = sums[searched] ?? 0;
    for (let i = searched + 1; i <= length; i++) {
      const reading = sums[i] ?? 0;
      if (reading < lowest) lowest = reading;
      sum += reading;
      sums[i] = sum;
    }
    this.lowest = lowest;
    if (missing === null) return;
    for (let i = searched + 1; i <= length; i++) missing[i] = (missing[i] ?? 0) + (missing[i - 1] ?? 0);
  }

  /**
   * Searches the efforts that end in seconds that were not searched yet. It skips a block of them at once when the sum of all
   * their seconds, less the lowest reading for each second that an effort of the block lacks, is not better.
   */
  private search(): void {
    this.sumUp();
    for (let i = 0; i < EFFORT_SECONDS.length; i++) {
      const duration = EFFORT_SECONDS[i] ?? LONGEST_EFFORT_SECONDS;
      if (duration <= this.length) this.best[i] = this.bestOf(duration, this.best[i] ?? -1);
    }
    this.searched = this.length;
  }

  /** Returns the highest sum of an effort of a duration, at least `most`. */
  private bestOf(duration: number, most: number): number {
    const { sums, missing, length, lowest } = this;
    const large = Math.max(MIN_BLOCK, duration >> 2);
    const small = Math.max(MIN_BLOCK, duration >> 4);
    const mostMissing = duration * MAX_MISSING_SHARE;
    for (let end = Math.max(this.searched + 1, duration); end <= length;) {
      const start = sums[end - duration] ?? 0;
      let last = Math.min(end + large - 1, length);
      let isSkipped = (sums[last] ?? 0) - start - (last - end) * lowest <= most;
      if (!isSkipped && small < large) {
        last = Math.min(end + small - 1, length);
        isSkipped = (sums[last] ?? 0) - start - (last - end) * lowest <= most;
      }
      if (isSkipped) end = last + 1;
      for (; end <= last; end++) {
        const sum = (sums[end] ?? 0) - (sums[end - duration] ?? 0);
        if (!(sum > most)) continue;
        const missed = missing === null ? 0 : (missing[end] ?? 0) - (missing[end - duration] ?? 0);
        if (missed <= mostMissing) most = sum;
      }
    }
    return most;
  }
}

function enlarged<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
