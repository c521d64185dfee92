/** Physiologic limits, 240 and 30 beats per minute. A longer interval contains missed beats, a shorter one a false beat. */
export const SHORTEST_SECONDS = 0.25;
export const LONGEST_SECONDS = 2;
/** Largest deviation from the local median, as a share of it. */
export const LARGEST_DEVIATION = 0.2;
/** Intervals on each side of an interval that its local median includes. */
export const NEIGHBOURS = 5;

/**
 * Returns the number of artefacts: intervals that the device distrusts, that are beyond the physiologic limits, or that
 * differ from the median of the intervals around them, themselves included, by more than `LARGEST_DEVIATION`. Tarvainen et
 * al. compare with a local median (Kubios HRV, Comput Methods Programs Biomed 2014;113:210-220). Karlsson et al. evaluate
 * limits of 10 to 50 % of the surrounding intervals (BioMedical Engineering OnLine 2012;11:2).
 */
export function countArtefacts(seconds: Float64Array, isDistrusted: Uint8Array): number {
  const count = seconds.length;
  let artefacts = 0;
  const sorted = new SortedWindow();
  for (let i = 0; i < Math.min(NEIGHBOURS, count); i++) sorted.add(seconds[i] ?? 0);
  for (let i = 0; i < count; i++) {
    if (i + NEIGHBOURS < count) sorted.add(seconds[i + NEIGHBOURS] ?? 0);
    if (i > NEIGHBOURS) sorted.remove(seconds[i - NEIGHBOURS - 1] ?? 0);
    const interval = seconds[i] ?? 0;
    const median = sorted.median();
    if (
      isDistrusted[i] === 1 ||
      interval < SHORTEST_SECONDS ||
      interval > LONGEST_SECONDS ||
      Math.abs(interval - median) > LARGEST_DEVIATION * median
    )
      artefacts++;
  }
  return artefacts;
}

/** A few numbers in ascending order. */
class SortedWindow {
  private readonly numbers = new Float64Array(2 * NEIGHBOURS + 2);
  private count = 0;

  add(value: number): void {
    let at = this.count++;
    for (; at > 0 && (this.numbers[at - 1] ?? 0) > value; at--) this.numbers[at] = this.numbers[at - 1] ?? 0;
    this.numbers[at] = value;
  }

  remove(value: number): void {
    let at = this.numbers.indexOf(value);
    this.count--;
    for (; at < this.count; at++) this.numbers[at] = this.numbers[at + 1] ?? 0;
  }

  median(): number {
    const middle = this.count >> 1;
    const upper = this.numbers[middle] ?? 0;
    return (this.count & 1) === 1 ? upper : ((this.numbers[middle - 1] ?? 0) + upper) / 2;
  }
}
