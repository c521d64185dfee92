/** One thing measured: ready for a table or for a program. */
export interface Figure {
  section: string;
  name: string;
  value: number;
  unit: string;
  /** What the value should be, as `at least 8`; absent where it only informs. */
  target?: { at: "least" | "most"; value: number };
  /** What else must be known to read it. */
  note?: string;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The smallest value that so great a part of all values does not exceed. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN;
}

export function meets({ value, target }: Figure): boolean | null {
  if (target === undefined) return null;
  return target.at === "least" ? value >= target.value : value <= target.value;
}

/** Milliseconds of wall time. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Works on `count` things, so many at a time, each by its number. */
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
