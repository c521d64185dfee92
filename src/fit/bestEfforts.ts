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
const MAX_KEPT_SECONDS = LONGEST_EFFORT_SECONDS + 2048;
/** Maximum number of seconds of all efforts of a file: 38 days of three quantities. Later ones do not count. */
const MAX_SECONDS = 10_000_000;

/** Seconds that the efforts of all sessions of a file may still use. */
export class EffortBudget {
  seconds = MAX_SECONDS;
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
  /** Sums over the seconds of the stretch up to each second, and the number of seconds with a reading. */
  private sums = new Float64Array(1);
  private counts = new Int32Array(1);
  private length = 0;
  private searched = 0;
  private highest = 0;
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

  /** Adds a reading. Times never decrease. */
  add(time: number, reading: number): void {
    const second = Math.floor(time);
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

  /** Adds seconds that all have the same reading, such as a length of a pool. `add` may follow at their end. */
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
    if (reading > this.highest) this.highest = reading;
    for (let i = 0; i < withReading; i++) this.appendSecond(reading, 1);
    const missing = to - from - withReading;
    if (missing > STRETCH_END_SECONDS) {
      this.search();
      this.startStretch();
    } else {
      if (withReading > 0) this.counted = reading;
      const filling = this.keepsMissing ? this.counted : 0;
      for (let i = 0; i < missing; i++) this.appendSecond(filling, 0);
    }
  }

  private appendSecond(reading: number, count: number): void {
    if (this.length + 1 >= this.sums.length) this.makeRoom();
    const { length } = this;
    this.sums[length + 1] = (this.sums[length] ?? 0) + reading;
    this.counts[length + 1] = (this.counts[length] ?? 0) + count;
    this.length = length + 1;
  }

  /** Searches the seconds so far, and keeps only those that a later effort can contain. */
  private makeRoom(): void {
    if (this.sums.length < MAX_KEPT_SECONDS) {
      const seconds = Math.min(MAX_KEPT_SECONDS, Math.max(MIN_KEPT_SECONDS, 2 * this.sums.length));
      this.sums = enlarged(this.sums, new Float64Array(seconds));
      this.counts = enlarged(this.counts, new Int32Array(seconds));
      return;
    }
    this.search();
    const from = this.length - LONGEST_EFFORT_SECONDS;
    this.sums.copyWithin(0, from, this.length + 1);
    this.counts.copyWithin(0, from, this.length + 1);
    const [sum, count] = [this.sums[0] ?? 0, this.counts[0] ?? 0];
    // Sums start again near 0, so that long activities lose no precision.
    for (let i = 0; i <= LONGEST_EFFORT_SECONDS; i++) {
      this.sums[i] = (this.sums[i] ?? 0) - sum;
      this.counts[i] = (this.counts[i] ?? 0) - count;
    }
    this.length = LONGEST_EFFORT_SECONDS;
    this.searched = LONGEST_EFFORT_SECONDS;
  }

  private startStretch(): void {
    this.length = 0;
    this.searched = 0;
    this.highest = 0;
  }

  /**
   * Searches the efforts that end in seconds that were not searched yet. An average rises by at most the highest reading per
   * second, so the search skips the seconds in which none can be better.
   */
  private search(): void {
    const { sums, counts, length, searched, highest, best } = this;
    for (let i = 0; i < EFFORT_SECONDS.length; i++) {
      const duration = EFFORT_SECONDS[i] ?? LONGEST_EFFORT_SECONDS;
      const mostMissing = duration * MAX_MISSING_SHARE;
      let most = best[i] ?? -1;
      for (let end = Math.max(searched + 1, duration); end <= length; end++) {
        const sum = (sums[end] ?? 0) - (sums[end - duration] ?? 0);
        if (sum <= most) {
          end += highest > 0 ? Math.floor((most - sum) / highest) : length;
        } else if (duration - (counts[end] ?? 0) + (counts[end - duration] ?? 0) <= mostMissing) {
          most = sum;
        }
      }
      best[i] = most;
    }
    this.searched = length;
  }
}

function enlarged<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
