import type { ReportGap } from "./lines.ts";

/** Start times of the files of a report: 8 bytes for each file, so that even the longest history takes a few megabytes. */
export class Starts {
  #times = new Float64Array(1_024);
  #count = 0;

  add(timeInSeconds: number): void {
    if (this.#count === this.#times.length) {
      const longer = new Float64Array(2 * this.#count);
      longer.set(this.#times);
      this.#times = longer;
    }
    this.#times[this.#count] = timeInSeconds;
    this.#count += 1;
  }

  /** Returns the first and the last time, and the longest gap between two consecutive ones. */
  summary(): { first: number | null; last: number | null; gap: ReportGap | null } {
    const times = this.#times.subarray(0, this.#count).sort();
    let gap: ReportGap | null = null;
    for (let index = 1; index < times.length; index += 1) {
      const [from = 0, to = 0] = times.subarray(index - 1, index + 1);
      if (gap !== null && to - from <= gap.duration_in_seconds) continue;
      gap = { start_time_in_seconds: from, end_time_in_seconds: to, duration_in_seconds: to - from };
    }
    return { first: times[0] ?? null, last: times.at(-1) ?? null, gap };
  }
}
