/** One measured value. */
export interface Figure {
  section: string;
  name: string;
  value: number;
  unit: string;
  /** The target, such as `at least 8`. Absent when the figure has none. */
  target?: { at: "least" | "most"; value: number };
  /** Conditions of the measurement. */
  note?: string;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Returns the quantile `part` (0 to 1) of the values. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN;
}

export function meets({ value, target }: Figure): boolean | null {
  if (target === undefined) return null;
  return target.at === "least" ? value >= target.value : value <= target.value;
}

/** Returns the wall time of the work in milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Runs `work` for each index below `count`, at most `atOnce` at a time. */
export async function inParallel(
  count: number,
  atOnce: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const index = next;
      next += 1;
      await work(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, lane));
}
